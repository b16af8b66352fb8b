import type { McpSettings } from '../../config/server/mcp.ts';
import type { Log } from '../../core/log.ts';
import type { Peer } from '../upstream/peer.ts';
import type { TaskIds } from './task-ids.ts';
import type { ToolPins } from './tool-pins.ts';

/** What all servers of the thread share. */
export interface ServerHost {
  readonly log: Log;
  settings(): McpSettings;
  readonly pins: ToolPins;
  readonly tasks: TaskIds;
  /** Takes a place among the sessions with servers; false: there is none, although idle ones were closed. */
  admit(peer: Peer): boolean;
}

export interface Opened {
  readonly peer: Peer;
  /** Callers with the same key share the peer. */
  readonly key: string;
}
