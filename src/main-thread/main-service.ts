import type { Configuration } from '../config/configuration.ts';
import type { FromRelayThread } from '../threads/messages.ts';

/**
 * One lasting part of the main thread. The gateway holds all of them in one list and tells each in the order of that list,
 * which is also the order in which they are closed. A part that is off is in it as a null object.
 */
export interface MainService {
  /** A new configuration is in force. Relay threads are told after the last part: no charge of theirs may be unknown here. */
  reconfigure?(configuration: Configuration): void;
  /** A message of a relay thread. Every part sees every message and takes those that are for it. */
  hear?(message: FromRelayThread): void;
  /** Relay thread `thread` ended unexpectedly, and the next has not begun: what the dead one held is given back. */
  threadDied?(thread: number): void;
  /** Called once, after the last relay thread has drained. Resolves when nothing is left to do; bounds its own waits. */
  close(): Promise<void> | void;
}
