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
 * Engines that the contract names and that are not there yet. Accepting one and keeping the data elsewhere would lose
 * it, so it is a fault until the engine exists. An address may hold a password and is not shown.
 */
function engine(builtIn: string, later: RegExp) {
  const chosen = z.string({ error: `\`${builtIn}\`` }).superRefine((value, context) => {
    if (value === builtIn) return;
    const unsupported = later.test(value);
    const params = {
      code: 'unsupported',
      message: 'this engine is not supported yet',
      found: 'an address (not shown)',
    };
    context.addIssue({ code: 'custom', message: `\`${builtIn}\``, params: unsupported ? params : {} });
  });
  return keyWithDefault(chosen, builtIn);
}

const store = section(
  z.object({
    database: engine('sqlite', /^postgres(ql)?:/),
    counters: engine('memory', /^rediss?:/),
    blobs: engine('disk', /^s3:/),
  }),
);

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
});

export type WrittenServer = z.output<typeof serverSchema>;
