import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { ProviderWords } from '../../core/errors.ts';
import { optionalKey, text, wholeNumber } from '../scalar-schema.ts';
import type { CacheLimits } from './cache.ts';
import type { ConsoleSettings } from './console.ts';
import type { ResponseSettings } from './kept-for-callers.ts';
import type { LedgerSettings } from './ledger.ts';
import type { Limits, Timeouts } from './limits.ts';
import type { McpSettings } from './mcp.ts';
import type { MediaSettings } from './media.ts';
import type { OtelSettings } from './otel.ts';
import type { TlsFiles } from './ports.ts';
import type { PriceSettings } from './prices.ts';
import type { RealtimeSettings } from './realtime.ts';
import type { RequestLogSettings } from './request-log.ts';
import type { RoutingLimits } from './routing.ts';
import { camelKeys } from './section.ts';
import type { WrittenServer } from './server-schema.ts';
import type { CounterSettings } from './store.ts';
import type { UpstreamSettings } from './upstream.ts';

export interface ServerSettings {
  listen: {
    host: string;
    port: number;
    tls?: TlsFiles;
    /** Addresses and networks whose `x-forwarded-for` is believed. */
    trustedProxies: string[];
    /** No connection of a client is used for a second request. */
    closeAfterAnswer: boolean;
  };
  operator: { host: string; port: number; tls?: TlsFiles; adminKey?: string };
  /** Relay threads. `auto` was resolved to a number by load. */
  threads: number;
  dataDir: string;
  store: { database: string; counters: string; blobs: string; cache: string };
  limits: Limits;
  timeouts: Timeouts;
  upstream: UpstreamSettings;
  media: MediaSettings;
  /** Absent: list prices are those of the price library. */
  prices?: PriceSettings;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; access: 'all' | 'errors' | 'off'; providerWords: ProviderWords };
  keepaliveCommentMs: number;
  demo: 'auto' | boolean;
  /** One more try where a reused connection turned out dead before any byte of an answer; it may bill twice. */
  retryReusedConnection: boolean;
  /** Absent: no CORS headers, OPTIONS is 405. */
  cors?: { allowedOrigins: string[]; maxAgeSeconds: number };
  counters: CounterSettings;
  files: { sharedWith: 'nobody' | 'team' };
  /** `maxConcurrency`: lines at once, over all threads; 0: none are run. */
  batches: { maxConcurrency: number; maxAttempts: number };
  responses: ResponseSettings;
  cache: CacheLimits;
  ledger: LedgerSettings;
  /** Keys of request metadata that become labels of metrics. */
  metrics: { metadataKeys: string[] };
  routing: RoutingLimits;
  mcp: McpSettings;
  realtime: RealtimeSettings;
  console: ConsoleSettings;
  otel: OtelSettings;
  requestLog: RequestLogSettings;
  /** Max CPU time of a relay thread's warm-up; 0: there is none. */
  warmUpMs: number;
  /** Name of this gateway in a cluster: its hash chain, its share of reservations. Made and kept in data_dir by default. */
  gatewayId?: string;
}

/** What the command line says; wins over the files. Not checked yet. */
export interface WrittenOverrides {
  port?: number | string;
  threads?: number | string;
  dataDir?: string;
}

export const overridesSchema = z.object({
  port: optionalKey(wholeNumber(0, 65_535)),
  threads: optionalKey(wholeNumber(1, 256)),
  dataDir: optionalKey(text()),
});

export type Overrides = Partial<z.output<typeof overridesSchema>>;

/**
 * From the written form to the one the gateway uses: names, defaults that depend on others, absolute paths. A relative
 * path in a file is relative to the folder of that file; on the command line and by default to the working folder. What other files hold was read before.
 */
export function serverSettings(
  written: WrittenServer,
  folder: string,
  overrides: Overrides,
  { upstream, prices }: Pick<ServerSettings, 'upstream' | 'prices'>,
): ServerSettings {
  const { listen, operator, cors, responses } = written;
  const port = overrides.port ?? listen.port;
  return {
    listen: {
      host: listen.host,
      port,
      trustedProxies: listen.trusted_proxies,
      closeAfterAnswer: listen.close_after_answer,
      ...(listen.tls && { tls: tlsFiles(listen.tls, folder) }),
    },
    operator: {
      host: operator.host,
      port: operator.port ?? portBeside(port),
      ...(operator.tls && { tls: tlsFiles(operator.tls, folder) }),
      ...(operator.admin_key !== undefined && { adminKey: operator.admin_key }),
    },
    threads: overrides.threads ?? (written.threads === 'auto' ? automaticThreads() : written.threads),
    dataDir: overrides.dataDir === undefined ? dataFolder(written.data_dir, folder) : resolve(overrides.dataDir),
    store: written.store,
    limits: camelKeys(written.limits),
    timeouts: camelKeys(written.timeouts),
    upstream,
    media: camelKeys(written.media),
    ...(prices && { prices }),
    log: {
      level: written.log.level,
      access: written.log.access,
      providerWords: written.log.provider_words ? 'keep' : 'leave-out',
    },
    keepaliveCommentMs: written.keepalive_comment_ms,
    demo: written.demo,
    retryReusedConnection: written.retry_reused_connection,
    counters: camelKeys(written.counters),
    files: camelKeys(written.files),
    batches: camelKeys(written.batches),
    responses: {
      keep: responses.keep,
      keepMs: responses.keep_days * 86_400_000,
      maxBytes: responses.max_bytes,
      maxEventBytes: responses.max_event_bytes,
    },
    cache: camelKeys(written.cache),
    ledger: camelKeys(written.ledger),
    metrics: camelKeys(written.metrics),
    routing: camelKeys(written.routing),
    otel: camelKeys(written.otel),
    requestLog: camelKeys(written.request_log),
    mcp: camelKeys(written.mcp),
    realtime: camelKeys(written.realtime),
    console: camelKeys(written.console),
    warmUpMs: written.warm_up_ms,
    ...(written.gateway_id !== undefined && { gatewayId: written.gateway_id }),
    ...(cors && { cors: camelKeys(cors) }),
  };
}

function tlsFiles({ cert_file, key_file }: { cert_file: string; key_file: string }, folder: string): TlsFiles {
  return { certFile: resolve(folder, cert_file), keyFile: resolve(folder, key_file) };
}

/** The next port; 0 stays 0 (any free one), and the last port has none after it. */
function portBeside(port: number): number {
  if (port === 0) return 0;
  return port === 65_535 ? 65_534 : port + 1;
}

function dataFolder(written: string | undefined, folder: string): string {
  return written === undefined ? resolve('data') : resolve(folder, written);
}

/** Only Linux spreads connections over several listeners of one port. */
function automaticThreads(): number {
  return process.platform === 'linux' ? Math.min(256, availableParallelism()) : 1;
}
