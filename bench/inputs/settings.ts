import type { ServerSettings } from '../../src/config/configuration.ts';

/** What a gateway runs with that was configured with nothing. */
export const settings: ServerSettings = {
  listen: { host: '127.0.0.1', port: 0 },
  operator: { host: '127.0.0.1', port: 0 },
  threads: 1,
  dataDir: 'data',
  store: { database: 'sqlite', counters: 'memory', blobs: 'disk' },
  limits: {
    maxBodyBytes: 33_554_432,
    maxBodyMemoryBytes: 536_870_912,
    maxHeaderBytes: 16_384,
    maxInFlight: 16_384,
    highWatermarkBytes: 65_536,
    maxUpstreamConnections: 256,
    maxUpstreamQueue: 16_384,
    maxTranslateBytes: 33_554_432,
  },
  timeouts: {
    bodyMs: 30_000,
    connectMs: 5_000,
    firstByteMs: 600_000,
    idleMs: 120_000,
    totalMs: 0,
    writeMs: 60_000,
    drainMs: 30_000,
  },
  log: { level: 'info', access: 'all' },
  keepaliveCommentMs: 15_000,
  demo: false,
  retryReusedConnection: true,
  counters: { agreement: 'strict', leasePercent: 5, timeoutMs: 250, whenAway: 'local', maxCells: 1024 },
  ledger: {
    enabled: false,
    sync: 'batched',
    retentionDays: 90,
    hourlyRetentionDays: 400,
    metadataKeys: [],
    maxJournalBytes: 1_048_576,
  },
  metrics: { metadataKeys: [] },
};
