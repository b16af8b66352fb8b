import { z } from 'zod';
import { keyWithDefault, optionalKey, secretText, text, wholeNumber } from './scalar-schema.ts';

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
    host: keyWithDefault(host, '127.0.0.1'),
    port: keyWithDefault(port, 8787),
    tls: optionalKey(z.object({ cert_file: text(), key_file: text() })),
  }),
);

const operator = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1'),
    /** Absent: the port after listen.port. */
    port: optionalKey(port),
    admin_key: optionalKey(secretText(4096)),
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
    database: engine('sqlite', /^postgres(ql)?:\/\//, '`postgres://user:password@host:5432/database`'),
    counters: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`'),
    blobs: engine('disk', undefined, '', /^s3:/),
  }),
);

const counters = section(
  z.object({
    agreement: keyWithDefault(z.enum(['strict', 'leased']), 'strict'),
    lease_percent: keyWithDefault(wholeNumber(1, 50), 5),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 250),
    when_away: keyWithDefault(z.enum(['local', 'closed', 'open']), 'local'),
    max_cells: keyWithDefault(wholeNumber(1024, 4_194_304), 65_536),
  }),
);

const metadataKeys = keyWithDefault(z.array(text(128)).max(16, { error: 'at most 16 keys' }), []);

const ledger = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true),
    sync: keyWithDefault(z.enum(['batched', 'strict']), 'batched'),
    retention_days: keyWithDefault(wholeNumber(0, 36_500), 90),
    hourly_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400),
    metadata_keys: metadataKeys,
    max_journal_bytes: keyWithDefault(wholeNumber(1_048_576, 1024 * gibibyte), 4 * gibibyte),
  }),
);

const metrics = section(z.object({ metadata_keys: metadataKeys }));

const gatewayIdError = '1 to 64 characters of A–Z a–z 0–9 . _ -';
const gatewayId = z.string({ error: gatewayIdError }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: gatewayIdError });

const limits = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, gibibyte), 33_554_432),
    max_body_memory_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), gibibyte),
    max_header_bytes: keyWithDefault(wholeNumber(4096, 1_048_576), 16_384),
    max_in_flight: keyWithDefault(wholeNumber(1, 1_000_000), 16_384),
    high_watermark_bytes: keyWithDefault(wholeNumber(4096, 67_108_864), 65_536),
    max_upstream_connections: keyWithDefault(wholeNumber(1, 65_536), 8192),
    max_upstream_queue: keyWithDefault(wholeNumber(0, 1_000_000), 4096),
    max_translate_bytes: keyWithDefault(wholeNumber(1024, gibibyte), 33_554_432),
    max_event_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 16_777_216),
  }),
);

const timeouts = section(
  z.object({
    body_ms: keyWithDefault(milliseconds, 30_000),
    connect_ms: keyWithDefault(milliseconds, 5000),
    first_byte_ms: keyWithDefault(milliseconds, 600_000),
    idle_ms: keyWithDefault(milliseconds, 120_000),
    total_ms: keyWithDefault(milliseconds, 0),
    write_ms: keyWithDefault(milliseconds, 60_000),
    drain_ms: keyWithDefault(milliseconds, 30_000),
  }),
);

const log = section(
  z.object({
    level: keyWithDefault(z.enum(['debug', 'info', 'warn', 'error']), 'info'),
    access: keyWithDefault(z.enum(['all', 'errors', 'off']), 'all'),
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
    allowed_origins: z.array(origin).min(1, { error: 'at least one origin' }),
    max_age_seconds: keyWithDefault(wholeNumber(0, 86_400), 600),
  }),
);

export const serverSchema = z.object({
  type: z.literal('sluice/server'),
  listen,
  operator,
  threads: keyWithDefault(z.union([z.literal('auto'), wholeNumber(1, 256)]), 'auto'),
  /** Absent: `./data` in the working folder. */
  data_dir: optionalKey(text()),
  store,
  limits,
  timeouts,
  log,
  keepalive_comment_ms: keyWithDefault(milliseconds, 15_000),
  demo: keyWithDefault(z.union([z.literal('auto'), z.boolean()]), 'auto'),
  retry_reused_connection: keyWithDefault(z.boolean(), true),
  cors,
  counters,
  ledger,
  metrics,
  gateway_id: optionalKey(gatewayId),
});

export type WrittenServer = z.output<typeof serverSchema>;
