import { z } from 'zod';
import {
  keyWithDefault,
  optionalKey,
  proxyAddress,
  restricting,
  restrictingKey,
  secretText,
  text,
  wholeNumber,
} from './scalar-schema.ts';

/** `sluice/server` as it is written (contract §2), with every default and bound. server-settings.ts takes it on. */

const gibibyte = 1024 ** 3;
const port = wholeNumber(0, 65_535);
/** 0 = no limit. */
const milliseconds = wholeNumber(0, 86_400_000);

/** A group of keys of which each has a default: absent, it is all defaults. */
function section<T extends z.ZodObject>(object: T) {
  return object.nullish().transform((value): z.output<T> => value ?? object.parse({}));
}

const hostError = 'an IP address or a host name';
const host = z.string({ error: hostError }).regex(/^[A-Za-z0-9._:%-]{1,253}$/, { error: hostError });

const listen = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe(
      'Address that clients reach; `0.0.0.0` is every one of the machine.',
    ),
    port: keyWithDefault(port, 8787).describe('0: any free one.'),
    tls: optionalKey(
      z.object({
        cert_file: text().describe('Certificate with its chain, as PEM.'),
        key_file: text().describe('Its private key, as PEM.'),
      }),
    ).describe('Absent: plain HTTP.'),
  }),
);

const operator = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe('Address of the operator port.'),
    port: optionalKey(port).describe('Absent: the port after listen.port.'),
    admin_key: optionalKey(secretText(4096)).describe('Opens the admin API; absent: there is none.'),
  }),
);

/**
 * An engine of ours, or the address of one that exists. Of the contract's, `s3:` is not there yet: accepting it and
 * keeping the data elsewhere would lose it, so it is a fault. An address may hold a password and is not shown.
 */
function engine(builtIn: string, address: RegExp | undefined, form: string, later?: RegExp) {
  const allowed = address === undefined ? `\`${builtIn}\`` : `\`${builtIn}\` or ${form}`;
  const chosen = z.string({ error: allowed }).superRefine((value, context) => {
    if (value === builtIn || (address?.test(value) && URL.canParse(value))) return;
    const shown = value.includes(':') ? { found: 'an address (not shown)' } : undefined;
    const unsupported = { code: 'unsupported', message: 'this engine is not supported yet', ...shown };
    context.addIssue({ code: 'custom', message: allowed, params: later?.test(value) ? unsupported : { ...shown } });
  });
  return keyWithDefault(chosen, builtIn);
}

const store = section(
  z.object({
    database: engine('sqlite', /^postgres(ql)?:\/\//, '`postgres://user:password@host:5432/database`').describe(
      'Where keys, ledger and budgets are: a file in data_dir, or `postgres://…`.',
    ),
    counters: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`').describe(
      'Where limits are counted: in memory, or `redis://…` for several gateways.',
    ),
    blobs: engine('disk', undefined, '', /^s3:/).describe('Where file bodies will be.'),
  }),
);

const counters = section(
  z.object({
    agreement: keyWithDefault(z.enum(['strict', 'leased']), 'strict').describe(
      'With Redis: ask it before each request, or spend shares taken in advance.',
    ),
    lease_percent: keyWithDefault(wholeNumber(1, 50), 5).describe('Of a limit, what one gateway may take in advance.'),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 250).describe('A Redis that takes longer counts as away.'),
    when_away: keyWithDefault(z.enum(['local', 'closed', 'open']), 'local').describe(
      'Redis is away: count on this machine alone, refuse (503), or let everything through.',
    ),
    max_cells: keyWithDefault(wholeNumber(1024, 4_194_304), 65_536).describe(
      'Counts kept in memory; further groups of a rule share one.',
    ),
  }),
);

const metadataKeys = keyWithDefault(z.array(text(128)).max(16, { error: 'at most 16 keys' }), []);

const ledger = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true).describe('Whether a ledger is kept.'),
    sync: keyWithDefault(z.enum(['batched', 'strict']), 'batched').describe(
      'When a record is in the journal: 10 ms after the end, or before the last byte of the answer.',
    ),
    retention_days: keyWithDefault(wholeNumber(0, 36_500), 90).describe('How long rows are kept; 0: for ever.'),
    hourly_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400).describe(
      'How long hourly sums are kept; daily ones stay.',
    ),
    metadata_keys: metadataKeys.describe('Of request metadata, what is kept.'),
    max_journal_bytes: keyWithDefault(wholeNumber(1_048_576, 1024 * gibibyte), 4 * gibibyte).describe(
      'What may wait for the database; beyond it requests are refused (503).',
    ),
  }),
);

const metrics = section(
  z.object({ metadata_keys: metadataKeys.describe('Of request metadata, what becomes a label.') }),
);

const gatewayIdError = '1 to 64 characters of A–Z a–z 0–9 . _ -';
const gatewayId = z.string({ error: gatewayIdError }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: gatewayIdError });

const limits = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, gibibyte), 33_554_432).describe('One request body (413).'),
    max_body_memory_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), gibibyte).describe(
      'All request bodies at once (503).',
    ),
    max_header_bytes: keyWithDefault(wholeNumber(4096, 1_048_576), 16_384).describe('One request head (431).'),
    max_in_flight: keyWithDefault(wholeNumber(1, 1_000_000), 16_384).describe(
      'Exchanges at once, over all threads (503).',
    ),
    high_watermark_bytes: keyWithDefault(wholeNumber(4096, 67_108_864), 65_536).describe(
      'What may wait for a slow client before its provider is paused.',
    ),
    max_upstream_connections: keyWithDefault(wholeNumber(1, 65_536), 8192).describe(
      'Per thread, provider address and credential.',
    ),
    max_upstream_queue: keyWithDefault(wholeNumber(0, 1_000_000), 4096).describe(
      'Exchanges that may wait for one of those connections (503).',
    ),
    max_translate_bytes: keyWithDefault(wholeNumber(1024, gibibyte), 33_554_432).describe(
      'One whole answer or one event that is to be translated (502).',
    ),
  }),
);

const timeouts = section(
  z.object({
    body_ms: keyWithDefault(milliseconds, 30_000).describe(
      'From the head of a request to the last byte of its body (408).',
    ),
    connect_ms: keyWithDefault(milliseconds, 5000).describe('Connecting to a provider (502).'),
    first_byte_ms: keyWithDefault(milliseconds, 600_000).describe(
      'From sending a request to the first content of its answer (504).',
    ),
    idle_ms: keyWithDefault(milliseconds, 120_000).describe('Between two pieces of content (504).'),
    total_ms: keyWithDefault(milliseconds, 0).describe('A whole exchange.'),
    write_ms: keyWithDefault(milliseconds, 60_000).describe(
      'In which a client takes nothing although something is to be written.',
    ),
    drain_ms: keyWithDefault(milliseconds, 30_000).describe('After a stop signal, until what is open is cut.'),
  }),
);

const noProxyError = '`*`, a host name, `.domain`, an IP address or range (`10.0.0.0/8`); `:port` may follow';
const noProxy = z
  .string({ error: noProxyError })
  .regex(/^(\*|(\*?\.)?[A-Za-z0-9_[\]:.-]{1,253}(\/\d{1,3})?)$/, { error: noProxyError });

const upstream = section(
  z.object({
    proxy: restrictingKey(optionalKey(proxyAddress())).describe(
      'HTTP proxy to all providers, or `none`. Absent: for https:// providers what the variable HTTPS_PROXY says.',
    ),
    no_proxy: restrictingKey(optionalKey(z.array(noProxy).max(1000))).describe(
      'Hosts that are reached without `proxy`. Absent, with a proxy of HTTPS_PROXY: what the variable NO_PROXY says.',
    ),
    ca_file: optionalKey(text()).describe(
      'Certificates of authorities, as PEM, that are trusted besides the public ones.',
    ),
  }),
);

const log = section(
  z.object({
    level: keyWithDefault(z.enum(['debug', 'info', 'warn', 'error']), 'info').describe('The least that is logged.'),
    access: keyWithDefault(z.enum(['all', 'errors', 'off']), 'all').describe('Which exchanges the access log has.'),
  }),
);

const originError = '`*`, or origins as a browser sends them: `https://app.example.com`, with a port only if unusual';
const origin = z.string({ error: originError }).refine((value) => value === '*' || isOrigin(value), {
  error: originError,
});

function isOrigin(value: string): boolean {
  return /^https?:\/\/[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

const cors = optionalKey(
  z.object({
    allowed_origins: z.array(origin).min(1, { error: 'at least one origin' }).describe('Origins of browsers, or `*`.'),
    max_age_seconds: keyWithDefault(wholeNumber(0, 86_400), 600).describe(
      'How long a browser may remember the answer.',
    ),
  }),
);

export const serverSchema = z.object({
  type: z.literal('sluice/server'),
  listen: listen.describe('Where clients reach the gateway.'),
  operator: operator.describe('Where operators reach it: health, metrics, admin API.'),
  threads: keyWithDefault(z.union([z.literal('auto'), wholeNumber(1, 256)]), 'auto').describe(
    'Relay threads; `auto`: all cores on Linux, 1 elsewhere.',
  ),
  data_dir: optionalKey(text()).describe(
    'Folder of keys, ledger and journal; deleting it resets the gateway. Absent: `./data` in the working folder.',
  ),
  store: store.describe('Which engines keep what.'),
  limits: restricting(limits).describe('Bounds of the gateway itself.'),
  timeouts: timeouts.describe('The waits, in milliseconds; 0: no limit.'),
  upstream: upstream.describe('How providers are reached.'),
  log: log.describe('What is logged.'),
  keepalive_comment_ms: keyWithDefault(milliseconds, 15_000).describe(
    'A comment in a stream after so much silence; 0: none.',
  ),
  demo: keyWithDefault(z.union([z.literal('auto'), z.boolean()]), 'auto').describe(
    'Whether the demo account is there; `auto`: while no other is configured.',
  ),
  retry_reused_connection: keyWithDefault(z.boolean(), true).describe(
    'One more try where a reused connection turns out dead before any byte of an answer.',
  ),
  cors: cors.describe('For browsers; absent: no CORS headers.'),
  counters: counters.describe('How limits and budgets are counted.'),
  ledger: ledger.describe('How the ledger is kept.'),
  metrics: metrics.describe('What metrics tell apart.'),
  gateway_id: optionalKey(gatewayId).describe('Name in a cluster; made and kept in data_dir by default.'),
});

export type WrittenServer = z.output<typeof serverSchema>;
