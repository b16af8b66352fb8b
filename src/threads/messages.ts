import type { Configuration } from '../config/configuration.ts';
import type { VerificationKey } from '../store/token-form.ts';
import type { ThreadStats } from '../telemetry/thread-stats.ts';

/** What a relay thread is born with. Structured-clonable but for the shared buffer, which is shared. */
export interface RelayThreadData {
  readonly thread: number;
  readonly threads: number;
  readonly counters: SharedArrayBuffer;
  readonly configuration: Configuration;
  readonly publicKeys: readonly VerificationKey[];
  readonly revokedIds: readonly string[];
}

export type ToRelayThread =
  | { type: 'reconfigure'; configuration: Configuration }
  | { type: 'revoked'; ids: readonly string[] }
  /** Accept nothing new; answer `drained` when the last exchange has ended. */
  | { type: 'drain' }
  /** The drain deadline came: end what is open. */
  | { type: 'cut' };

export type FromRelayThread =
  | { type: 'listening'; port: number }
  | { type: 'listen-failed' }
  /** Encoded ExchangeRecords; the buffer is transferred. */
  | { type: 'records'; thread: number; frame: Uint8Array }
  | { type: 'stats'; stats: ThreadStats }
  | { type: 'log'; line: string }
  | { type: 'drained' };
