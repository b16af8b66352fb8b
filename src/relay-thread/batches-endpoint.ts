import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { madeOnce } from '../core/made-once.ts';
import { zodLater } from '../core/zod-later.ts';
import { type Route, withoutBasePath } from '../edge/routes.ts';
import { clientSettings, guardsUnread } from '../policy/client-settings.ts';
import { CollectedBody } from '../proxy/collected-body.ts';
import { HeldMemory } from '../relay/held-memory.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { NewBatch } from '../threads/batch-messages.ts';
import { answeredRoutes, answerJson } from './answered-route.ts';
import { type BatchEndpoints, callerJson } from './batch-endpoints.ts';
import type { BatchRows } from './batch-rows.ts';
import { type FileEndpoints, ownerOf, ownersOf, sendContent } from './files-endpoint.ts';

export interface BatchRoutes {
  readonly rows: BatchRows;
  readonly endpoints: BatchEndpoints;
  readonly files: FileEndpoints;
}

const LIMIT = { usual: 20, most: 100 };
const HOUR_MS = 3_600_000;
const MAX_WINDOW_HOURS = 14 * 24;
/** https://platform.openai.com/docs/api-reference/batch/create */
const MAX_METADATA = { keys: 16, keyCharacters: 64, valueCharacters: 512 };
const EXPIRES_SECONDS = { least: 3_600, most: 2_592_000 };

const metadataError = `at most ${MAX_METADATA.keys} texts of ${MAX_METADATA.valueCharacters} characters, by keys of ${MAX_METADATA.keyCharacters}`;
const requestSchema = madeOnce(() => {
  const z = zodLater();
  return z.object({
    input_file_id: z.string({ error: 'the id of a file' }).min(1).max(128),
    endpoint: z.string({ error: 'a path, as /v1/chat/completions' }).max(256),
    completion_window: z.string({ error: 'a text, as 24h' }).max(16),
    metadata: z
      .record(z.string().max(MAX_METADATA.keyCharacters), z.string().max(MAX_METADATA.valueCharacters), {
        error: metadataError,
      })
      .refine((value) => Object.keys(value).length <= MAX_METADATA.keys, { error: metadataError })
      .nullish(),
    output_expires_after: z
      .object({
        anchor: z.literal('created_at'),
        seconds: z.int().min(EXPIRES_SECONDS.least).max(EXPIRES_SECONDS.most),
      })
      .nullish(),
  });
});
type BatchRequest = z.output<ReturnType<typeof requestSchema>>;

/** `/batches`: https://platform.openai.com/docs/api-reference/batch */
export function batchRoutes(batches: BatchRoutes, errorBody: Route['errorBody']): Route[] {
  const route = answeredRoutes(batches.files.records, errorBody, { yieldsToProvider: true });
  return [
    route('POST', '/batches', (exchange) => create(batches, exchange), { body: 'whole' }),
    route('GET', '/batches', (exchange) => list(batches, exchange), { readsQuery: true }),
    route('GET', '/batches/{batch_id}', (exchange) => show(batches, exchange)),
    // SDKs send an empty body.
    route('POST', '/batches/{batch_id}/cancel', (exchange) => cancel(batches, exchange), { body: 'whole' }),
    route('GET', '/batches/{batch_id}/output', (exchange) => output(batches, exchange)),
  ];
}

async function create(batches: BatchRoutes, exchange: Exchange): Promise<OrError<number>> {
  const settings = batches.files.settings();
  const batch = newBatch(batches, exchange, settings);
  if (batch instanceof GatewayError) return batch;
  return told(await batches.rows.create(batch, ownersOf(exchange.principal, settings)), exchange);
}

function newBatch({ endpoints }: BatchRoutes, exchange: Exchange, settings: ServerSettings): OrError<NewBatch> {
  const { principal, headers, body } = exchange;
  const client = clientSettings(headers);
  if (client instanceof GatewayError) return client;
  // Those of rules read each line; a batch remembers none that it was made with.
  const unread = guardsUnread(client);
  if (unread) return unread;
  const asked = parsed(body);
  if (asked instanceof GatewayError) return asked;
  if (!endpoints.has(withoutBasePath(asked.endpoint))) return unknownEndpoint(endpoints);
  const windowMs = windowOf(asked.completion_window);
  if (windowMs instanceof GatewayError) return windowMs;
  const createdAt = Date.now();
  const { output_expires_after: expires, metadata } = asked;
  return {
    id: `batch_${randomBytes(15).toString('hex')}`,
    owner: ownerOf(principal, settings),
    createdBy: principal.subject,
    principalJson: callerJson(principal, headers.tfy?.['x-tfy-metadata']),
    endpoint: asked.endpoint,
    inputFileId: asked.input_file_id,
    completionWindow: asked.completion_window,
    metadataJson: metadata ? JSON.stringify(metadata) : undefined,
    outputExpiresAfterMs: expires ? expires.seconds * 1000 : undefined,
    status: 'validating',
    endsAs: undefined,
    createdAt,
    expiresAt: createdAt + windowMs,
    inProgressAt: undefined,
    cancellingAt: undefined,
    finalizingAt: undefined,
    endedAt: undefined,
    total: 0,
    completed: 0,
    failed: 0,
    outputFileId: undefined,
    errorFileId: undefined,
    faults: [],
  };
}

/** Reads the request of a provider's batch, whose body arrives in pieces. */
export async function readBatchRequest(
  exchange: Exchange,
  { endpoints, files }: BatchRoutes,
): Promise<OrError<BatchRequest>> {
  const client = clientSettings(exchange.headers);
  if (client instanceof GatewayError) return client;
  // Its provider runs the lines.
  const unread = guardsUnread(client);
  if (unread) return unread;
  const body = await collected(exchange, files);
  const asked = body instanceof GatewayError ? body : parsed(body);
  if (asked instanceof GatewayError) return asked;
  return endpoints.has(withoutBasePath(asked.endpoint)) ? asked : unknownEndpoint(endpoints);
}

function collected(exchange: Exchange, { sharedMemory, settings }: FileEndpoints): Promise<OrError<Buffer>> {
  const { arriving, body } = exchange;
  if (arriving === undefined) return Promise.resolve(body);
  const { limits } = settings();
  const memory = new HeldMemory(sharedMemory, limits.maxBodyMemoryBytes);
  const setting = memory.setting;
  return new Promise<OrError<Buffer>>((resolve) => {
    const collecting = new CollectedBody(arriving, memory, limits.maxBodyBytes, {
      bodyEnded: () => resolve(collecting.whole()),
      bodyFailed: resolve,
      memoryFull: () => new GatewayError('body_memory_full', { setting, retryAfterMs: 1_000 }),
    });
  }).finally(() => memory.release());
}

function unknownEndpoint(endpoints: BatchEndpoints): GatewayError {
  const known = [...endpoints.keys()].map((path) => `/v1${path}`).join(', ');
  return new GatewayError('invalid_parameter', { param: 'endpoint', detail: `\`endpoint\`: It may be ${known}.` });
}

function parsed(body: Buffer): OrError<BatchRequest> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return new GatewayError('invalid_json');
  }
  const checked = requestSchema().safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const param = issue?.path.join('.') || undefined;
  const isMissing = issue?.code === 'invalid_type' && issue.input === undefined && issue.path.length === 1;
  const detail = param === undefined ? 'It must be one JSON object.' : `\`${param}\`: ${issue?.message}.`;
  return new GatewayError(isMissing ? 'missing_parameter' : 'invalid_parameter', { param, detail });
}

/** `24h`, `7d` → milliseconds; OpenAI knows `24h` alone. */
export function windowOf(text: string): OrError<number> {
  const [, count = '', unit] = /^(\d{1,3})([hd])$/.exec(text) ?? [];
  const hours = Number(count) * (unit === 'd' ? 24 : 1);
  if (unit === undefined || hours < 1 || hours > MAX_WINDOW_HOURS) {
    const detail = '`completion_window`: It may be 24h, or hours from 1h or days to 14d.';
    return new GatewayError('invalid_parameter', { param: 'completion_window', detail });
  }
  return hours * HOUR_MS;
}

async function list({ rows, files }: BatchRoutes, exchange: Exchange): Promise<OrError<number>> {
  const query = new URLSearchParams(exchange.headers.query ?? '');
  const limit = pageLimit(query.get('limit'));
  if (limit instanceof GatewayError) return limit;
  const owners = ownersOf(exchange.principal, files.settings());
  // One more than asked for tells whether there are more.
  const found = await rows.list({ owners, after: query.get('after') ?? undefined, limit: limit + 1 });
  if (found instanceof GatewayError) return found;
  if (found === undefined)
    return new GatewayError('invalid_parameter', { param: 'after', detail: 'No batch has this id.' });
  const data = found.slice(0, limit).map(batchObject);
  const has_more = found.length > limit;
  answerJson(exchange, {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more,
  });
  return 200;
}

export function pageLimit(asked: string | null | undefined): OrError<number> {
  const written = asked ?? String(LIMIT.usual);
  if (/^[1-9]\d{0,2}$/.test(written) && Number(written) <= LIMIT.most) return Number(written);
  const detail = `It is a whole number from 1 to ${LIMIT.most}.`;
  return new GatewayError('invalid_parameter', { param: 'limit', detail });
}

async function show(batches: BatchRoutes, exchange: Exchange): Promise<OrError<number>> {
  return told(await find(batches, exchange), exchange);
}

async function cancel({ rows, files }: BatchRoutes, exchange: Exchange): Promise<OrError<number>> {
  const { params, principal } = exchange;
  return told(await rows.cancel(params['batch_id'] ?? '', ownersOf(principal, files.settings())), exchange);
}

/** The bytes of the output file, for whoever does not ask for that one by its id. */
async function output(batches: BatchRoutes, exchange: Exchange): Promise<OrError<number>> {
  const batch = await find(batches, exchange);
  if (batch instanceof GatewayError) return batch;
  if (batch.outputFileId === undefined || batch.endedAt === undefined) {
    const state = batch.status.replace('_', ' ');
    return new GatewayError('not_found', { detail: `The batch is ${state} and has no output file.` });
  }
  return sendContent(batches.files, exchange, batch.outputFileId);
}

function find({ rows, files }: BatchRoutes, { params, principal }: Exchange): Promise<OrError<StoredBatch>> {
  return rows.find(params['batch_id'] ?? '', ownersOf(principal, files.settings()));
}

function told(batch: OrError<StoredBatch>, exchange: Exchange): OrError<number> {
  if (batch instanceof GatewayError) return batch;
  answerJson(exchange, batchObject(batch));
  return 200;
}

function batchObject(batch: StoredBatch) {
  const { status, endedAt, faults } = batch;
  const endedAs = (wanted: StoredBatch['status']) => (status === wanted ? seconds(endedAt) : null);
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    errors:
      faults.length === 0
        ? null
        : {
            object: 'list',
            data: faults.map(({ code, message, line }) => ({ code, message, param: null, line: line ?? null })),
          },
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status,
    // Before its end they may not be there yet.
    output_file_id: (endedAt === undefined ? undefined : batch.outputFileId) ?? null,
    error_file_id: (endedAt === undefined ? undefined : batch.errorFileId) ?? null,
    created_at: seconds(batch.createdAt),
    in_progress_at: seconds(batch.inProgressAt),
    expires_at: seconds(batch.expiresAt),
    finalizing_at: seconds(batch.finalizingAt),
    completed_at: endedAs('completed'),
    failed_at: endedAs('failed'),
    expired_at: endedAs('expired'),
    cancelling_at: seconds(batch.cancellingAt),
    cancelled_at: endedAs('cancelled'),
    request_counts: { total: batch.total, completed: batch.completed, failed: batch.failed },
    metadata: batch.metadataJson === undefined ? null : (JSON.parse(batch.metadataJson) as object),
  };
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}
