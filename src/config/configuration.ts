/**
 * A whole, valid configuration as plain data (structured-clonable): what `load` makes, what crosses to the relay
 * threads, what an exchange keeps until it ends. Times in milliseconds (0 = no limit), sizes in bytes.
 */
export interface Configuration {
  server: ServerSettings;
  keys: ConfiguredKey[];
  /** Provider accounts as their plug's schema returned them; `type` and `name` are common to all. */
  accounts: AccountManifest[];
}

export interface ServerSettings {
  listen: { host: string; port: number; tls?: { certFile: string; keyFile: string } };
  operator: { host: string; port: number; adminKey?: string };
  /** Relay threads. `auto` was resolved to a number by load. */
  threads: number;
  dataDir: string;
  store: { database: string; counters: string; blobs: string };
  limits: Limits;
  timeouts: Timeouts;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; access: 'all' | 'errors' | 'off' };
  keepaliveCommentMs: number;
  demo: 'auto' | boolean;
  /** One more try where a reused connection turned out dead before any byte of an answer; it may bill twice. */
  retryReusedConnection: boolean;
  /** Absent: no CORS headers, OPTIONS is 405. */
  cors?: { allowedOrigins: string[]; maxAgeSeconds: number };
}

export interface Limits {
  /** One request body. */
  maxBodyBytes: number;
  /** All request bodies held at once, over all threads. */
  maxBodyMemoryBytes: number;
  maxHeaderBytes: number;
  /** Exchanges open at once, over all threads. */
  maxInFlight: number;
  /** Bytes of an answer that may wait for a slow client before its provider is paused. Resumed at a quarter of it. */
  highWatermarkBytes: number;
  /** Connections per origin and credential, in each relay thread. */
  maxUpstreamConnections: number;
  /** Exchanges waiting for one of those. */
  maxUpstreamQueue: number;
  /** What a translation may hold: a whole unstreamed answer, or one event of a stream. */
  maxTranslateBytes: number;
}

export interface Timeouts {
  bodyMs: number;
  connectMs: number;
  firstByteMs: number;
  idleMs: number;
  totalMs: number;
  writeMs: number;
  drainMs: number;
}

export interface ConfiguredKey {
  name: string;
  /** Hex SHA-256 of the key; a literal key is hashed by load and forgotten. */
  keySha256: string;
  subject: string;
  teams: string[];
  /** Model patterns with `*`; absent: all models. */
  models?: string[];
  metadata: Record<string, string>;
}

export interface AccountManifest {
  type: string;
  name: string;
  [key: string]: unknown;
}
