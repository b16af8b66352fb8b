import { serverSchema } from '../../src/config/server-schema.ts';
import { fallbackWords } from './key-tables.ts';
import { schemaKeys } from './schema-keys.ts';

/** What each key of `sluice/server` does. The table fails where a key has no words here, or words have no key. */
const MEANINGS: Readonly<Record<string, string>> = {
  'listen.host': 'Address on which clients are served',
  'listen.port': 'Port on which clients are served; 0 takes any free port',
  'listen.tls.cert_file': 'Certificate chain, a PEM file; with it the port speaks TLS',
  'listen.tls.key_file': 'Private key of the certificate, a PEM file',
  'operator.host': 'Address of the operator port, which speaks plain HTTP',
  'operator.port': 'Port for health, metrics and the admin API; by default the port after `listen.port`',
  'operator.admin_key': 'Key of the admin API; without it there is no admin API',
  threads: 'Relay threads; `auto` takes all cores on Linux and 1 elsewhere',
  data_dir: 'Folder for keys, SQLite and the journal; by default `./data` in the working folder',
  'store.database': 'Where keys, the ledger and spent budgets are kept',
  'store.counters': 'Where rate limits and budgets are counted',
  'store.blobs': 'Where file bodies will be kept; nothing uses it yet',
  'limits.max_body_bytes': 'One request body; beyond it 413',
  'limits.max_body_memory_bytes': 'All request bodies held at once; beyond it 503',
  'limits.max_header_bytes': 'The head of one request; beyond it 431',
  'limits.max_in_flight': 'Exchanges open at once over all threads; beyond it 503',
  'limits.high_watermark_bytes': 'What may wait for one slow client before its provider is paused',
  'limits.max_upstream_connections': 'Connections per thread, provider address and credential',
  'limits.max_upstream_queue': 'Exchanges that may wait for one of those connections; beyond it 503',
  'limits.max_translate_bytes': 'One whole answer or one event that is to be translated; beyond it 502',
  'timeouts.body_ms': 'From the head to the last byte of the request body; then 408',
  'timeouts.connect_ms': 'Until a request has a connection to the provider; then 504',
  'timeouts.first_byte_ms': 'From sending the request to the first content of the answer; then 504',
  'timeouts.idle_ms': 'Between two pieces of content; then 504, or an error event in a stream',
  'timeouts.total_ms': 'The whole exchange; then 504, or an error event in a stream',
  'timeouts.write_ms': 'How long a client may take nothing of what is to be written; then the connection is closed',
  'timeouts.drain_ms': 'How long open exchanges may go on at shutdown',
  'log.level': 'Least level of the process log',
  'log.access': 'Which exchanges get a line in the access log',
  keepalive_comment_ms: 'Silence before the first token after which a stream gets an SSE comment',
  demo: 'Whether the demo account is there; `auto`: while no other account is configured',
  retry_reused_connection: 'Whether a request is sent once more when a reused connection dies before any answer',
  'cors.allowed_origins': 'Origins whose browsers may call; without `cors` none may',
  'cors.max_age_seconds': 'How long a browser may remember the answer to a preflight',
  'counters.agreement': 'With Redis: `strict` asks it for each request, `leased` takes a share ahead',
  'counters.lease_percent': 'Share of a limit that one gateway may take ahead with `leased`',
  'counters.timeout_ms': 'Redis counts as away when it takes longer',
  'counters.when_away': 'Without Redis: `local` counts here, `closed` answers 503, `open` lets everything pass',
  'counters.max_cells': 'Counts of limits and budgets in memory, 520 bytes each',
  'ledger.enabled': 'Whether exchanges are recorded in the ledger',
  'ledger.sync': '`batched` writes within 10 ms after the end, `strict` before the last byte goes out',
  'ledger.retention_days': 'Days for which rows are kept; 0 keeps them for ever',
  'ledger.hourly_retention_days': 'Days for which hourly sums are kept; 0 keeps them for ever',
  'ledger.metadata_keys': 'Keys of request metadata that the ledger keeps, at most 16',
  'ledger.max_journal_bytes': 'What may wait for the database; beyond it 503 `ledger_full`',
  'metrics.metadata_keys': 'Keys of request metadata that become labels of metrics, at most 16',
  gateway_id: 'Name of this gateway in a cluster; by default made and kept in the data folder',
};

/** Keys, and sections whole, of which a reload keeps the old value; a test holds the list against a real reload. */
export const NEEDS_RESTART: readonly string[] = [
  'listen',
  'operator',
  'threads',
  'data_dir',
  'store',
  'limits.max_header_bytes',
  'counters.max_cells',
  'ledger.enabled',
  'ledger.sync',
  'metrics',
  'gateway_id',
];

/** Every key of `sluice/server` with its default, its bounds and what it does. */
export function serverSettingsTable(): string {
  const keys = schemaKeys(serverSchema);
  const unknown = Object.keys(MEANINGS).filter((path) => keys.every((key) => key.path !== path));
  if (unknown.length > 0) throw new Error(`scripts/docs/server-settings.ts tells of keys that are gone: ${unknown}`);
  const rows = keys.map((key) => {
    const meaning = MEANINGS[key.path];
    if (meaning === undefined) throw new Error(`scripts/docs/server-settings.ts does not tell what ${key.path} does`);
    const restart = NEEDS_RESTART.some((path) => key.path === path || key.path.startsWith(`${path}.`));
    return `| \`${key.path}\` | ${fallbackWords(key)} | ${key.allowed} | ${meaning}${restart ? ' (restart)' : ''} |`;
  });
  return ['| key | default | value | what it does |', '|---|---|---|---|', ...rows].join('\n');
}
