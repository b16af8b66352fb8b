import type { Usage } from '../inference/usage.ts';

/**
 * What is known of one exchange when it is over. Everything observed (log line, metric, span, ledger row, charge) is
 * derived from this and from nothing else. Plain data; crosses threads as msgpack. No bodies, no secrets.
 */
export interface ExchangeRecord {
  id: string;
  requestId: string;
  /** Milliseconds since the Unix epoch. */
  startedAt: number;
  durationMs: number;
  thread: number;
  method: string;
  /** Route path, as `/chat/completions`. */
  path: string;
  /** Status the client saw; 499 where it left first. */
  status: number;
  outcome: 'ok' | 'error' | 'client-closed' | 'cut';
  /** Code of ERRORS; undefined where all went well. */
  errorCode?: string;
  /** For the log only; never a secret, never a body. */
  errorDetail?: string;
  subject?: string;
  keyId?: string;
  /** Model as asked for, canonical (`account/model`); undefined where it was never resolved. */
  model?: string;
  /** Target that answered (or was tried last). */
  target?: string;
  provider?: string;
  stream: boolean;
  attempts: number;
  usage?: Usage;
  usageSource?: 'provider' | 'estimate';
  /** Integer nano-dollars (1e-9 USD); undefined where no price is known. */
  costNanoUsd?: number;
  /** Time of the exchange that was ours: durationMs minus upstreamMs minus the wait for the client's body. */
  overheadMs: number;
  upstreamMs: number;
  firstTokenMs?: number;
  /** Mean time between two pieces of content. */
  interTokenMs?: number;
  bytesIn: number;
  bytesOut: number;
}
