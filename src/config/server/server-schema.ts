import { z } from 'zod';
import { keyWithDefault, optionalKey, restricting, text, wholeNumber } from '../scalar-schema.ts';
import { cache } from './cache.ts';
import { consoleSettings } from './console.ts';
import { batches, files, responses } from './kept-for-callers.ts';
import { ledger } from './ledger.ts';
import { limits, timeouts } from './limits.ts';
import { mcp } from './mcp.ts';
import { media } from './media.ts';
import { otel } from './otel.ts';
import { cors, listen, operator } from './ports.ts';
import { prices } from './prices.ts';
import { realtime } from './realtime.ts';
import { requestLog } from './request-log.ts';
import { routing } from './routing.ts';
import { metadataKeys, milliseconds, section } from './section.ts';
import { counters, store } from './store.ts';
import { upstream } from './upstream.ts';

/** `sluice/server` as it is written, with every default and bound; docs/configuration.md is generated from it. */

const gatewayIdError = '1 to 64 characters of A–Z a–z 0–9 . _ -';
const gatewayId = z.string({ error: gatewayIdError }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: gatewayIdError });

const metrics = section(
  z.object({ metadata_keys: metadataKeys.describe('Keys of request metadata that become labels.') }),
);

const log = section(
  z.object({
    level: keyWithDefault(z.enum(['debug', 'info', 'warn', 'error']), 'info').describe(
      'Least level of the process log.',
    ),
    access: keyWithDefault(z.enum(['all', 'errors', 'off']), 'all').describe(
      'Which exchanges get a line in the access log.',
    ),
    provider_words: keyWithDefault(z.boolean(), true).describe(
      'Whether log and ledger hold what a provider says of a failure; it may quote the request.',
    ),
  }),
);

export const serverSchema = z.object({
  type: z.literal('sluice/server'),
  listen: listen.describe('Where clients reach the gateway.'),
  operator: operator.describe('Where operators reach the gateway: health, metrics, admin API.'),
  threads: keyWithDefault(z.union([z.literal('auto'), wholeNumber(1, 256)]), 'auto').describe(
    'Relay threads; `auto` takes all cores on Linux and 1 elsewhere.',
  ),
  data_dir: optionalKey(text()).describe(
    'Folder for keys, ledger and journal; by default `./data` in the working folder. Deleting it resets the gateway.',
  ),
  store: store.describe('Which engine keeps what.'),
  limits: restricting(limits).describe('Bounds of the gateway itself.'),
  timeouts: timeouts.describe('How long each step may take, in milliseconds; 0 is no limit.'),
  upstream: upstream.describe('How providers, and all else that Sluice asks, are reached.'),
  media: restricting(media).describe(
    'Images and files that a request names by address: they are fetched for providers that take bytes alone.',
  ),
  prices: prices.describe('Prices that stand before those of the price library; absent: the library alone.'),
  log: log.describe('What is logged.'),
  keepalive_comment_ms: keyWithDefault(milliseconds, 15_000).describe(
    'Silence after which a stream gets an SSE comment, before the first token and between two; 0 sends none.',
  ),
  demo: keyWithDefault(z.union([z.literal('auto'), z.boolean()]), 'auto').describe(
    'Whether the demo account is there; `auto`: while no other account is configured.',
  ),
  retry_reused_connection: keyWithDefault(z.boolean(), true).describe(
    'Whether a request is sent once more when a reused connection dies before any byte of an answer.',
  ),
  cors: cors.describe('Which browsers may call; without it there are no CORS headers.'),
  counters: counters.describe('How limits and budgets are counted.'),
  files: files.describe('Whose the files are that callers upload.'),
  batches: batches.describe('How batches are run.'),
  responses: responses.describe('How answers of `/responses` are kept.'),
  cache: cache.describe('Bounds of cached answers.'),
  ledger: ledger.describe('How the ledger is kept.'),
  metrics: metrics.describe('What metrics tell apart.'),
  routing: routing.describe('When a target of virtual models is out, and how often it is tried again.'),
  otel: otel.describe('Spans and metrics by OTLP, where a `gateway-otel-config` says where to.'),
  request_log: requestLog.describe(
    'Bodies of requests and answers, where `gateway-global-settings` says that they are kept.',
  ),
  mcp: restricting(mcp).describe('Bounds of the MCP gateway.'),
  realtime: realtime.describe('Bounds of realtime sessions.'),
  console: restricting(consoleSettings).describe('Who may sign in to the console of the operator port, and how.'),
  warm_up_ms: keyWithDefault(wholeNumber(0, 5_000), 100).describe(
    'Most CPU time that a relay thread spends on chats with itself before it listens, so that the first client finds compiled code; five times as long on the clock; 0 leaves it out.',
  ),
  gateway_id: optionalKey(gatewayId).describe(
    'Name of this gateway in a cluster; by default made and kept in `data_dir`.',
  ),
});

export type WrittenServer = z.output<typeof serverSchema>;
