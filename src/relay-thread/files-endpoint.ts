import { boundaryOf } from '../codec/multipart.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError, Principal } from '../core/exchange.ts';
import type { Route } from '../edge/routes.ts';
import type { BlobStore } from '../files/blob-store.ts';
import { byteRange } from '../files/byte-range.ts';
import { MAX_WAITING_BYTES, Upload, type UploadedFile } from '../files/upload.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import type { FileFilter, StoredFile } from '../store/files.ts';
import { answeredRoutes, answerJson } from './answered-route.ts';
import type { FileRows } from './file-rows.ts';
import type { RefusalRecords } from './refusal-records.ts';
import { sendBlob } from './send-blob.ts';

export interface FileEndpoints {
  readonly rows: FileRows;
  readonly blobs: BlobStore;
  readonly records: RefusalRecords;
  readonly sharedMemory: SharedMemory;
  settings(): ServerSettings;
}

const LIMIT = { usual: 1_000, most: 10_000 };

/** `/files`: https://platform.openai.com/docs/api-reference/files */
export function fileRoutes(files: FileEndpoints, errorBody: Route['errorBody']): Route[] {
  const route = answeredRoutes(files.records, errorBody, { yieldsToProvider: true });
  return [
    route('POST', '/files', (exchange) => upload(files, exchange), { body: 'stream' }),
    route('GET', '/files', (exchange) => list(files, exchange), { readsQuery: true }),
    route('GET', '/files/{file_id}', (exchange) => show(files, exchange)),
    route('GET', '/files/{file_id}/content', (exchange) => content(files, exchange)),
    route('DELETE', '/files/{file_id}', (exchange) => remove(files, exchange)),
  ];
}

/** Whose a new file is, and whose files are seen. */
export function ownerOf({ subject, teams }: Principal, { files }: ServerSettings): string {
  const [team] = teams;
  return files.sharedWith === 'team' && team !== undefined ? `team:${team}` : subject;
}

export function ownersOf({ subject, teams }: Principal, { files }: ServerSettings): string[] {
  return files.sharedWith === 'team' ? [subject, ...teams.map((team) => `team:${team}`)] : [subject];
}

async function upload(files: FileEndpoints, exchange: Exchange): Promise<OrError<number>> {
  const { rows, blobs, sharedMemory } = files;
  const settings = files.settings();
  const { limits } = settings;
  const { arriving: body, principal } = exchange;
  const boundary = boundaryOf(exchange.headers.contentType);
  if (boundary === undefined) {
    const detail = 'The content-type has to be multipart/form-data with a boundary of 1 to 70 characters.';
    return new GatewayError('invalid_multipart', { detail, param: 'content-type' });
  }
  if (body === undefined) throw new Error('the route streams');
  const memory = new HeldMemory(sharedMemory, limits.maxBodyMemoryBytes);
  if (!memory.mayHold(MAX_WAITING_BYTES)) {
    const setting = `limits.max_body_memory_bytes: ${limits.maxBodyMemoryBytes}`;
    return new GatewayError('body_memory_full', { setting, retryAfterMs: 1_000 });
  }
  const createdAt = Date.now();
  const stored = (file: UploadedFile): StoredFile => ({
    id: file.id,
    owner: ownerOf(principal, settings),
    createdBy: principal.subject,
    filename: file.filename,
    purpose: file.purpose,
    bytes: file.bytes,
    sha256: file.sha256,
    createdAt,
    expiresAt: file.expiresAfterMs === undefined ? undefined : createdAt + file.expiresAfterMs,
  });
  let outcome: OrError<number> = new GatewayError('internal_error');
  await new Promise<void>((resolve) => {
    const receiver = new Upload({
      boundary,
      body,
      blobs,
      maxFileBytes: limits.maxFileBytes,
      maxLineBytes: limits.maxBodyBytes,
      mayHold: (bytes) => memory.mayHold(MAX_WAITING_BYTES + bytes),
      fileTooLarge: () =>
        new GatewayError('body_too_large', {
          detail: 'A file may not be that large.',
          setting: `limits.max_file_bytes: ${limits.maxFileBytes}`,
        }),
      keep: (file) => rows.insert(stored(file)),
      forget: async (id) => void (await rows.delete(id, [ownerOf(principal, settings)])),
      onDone: (file) => {
        outcome = 200;
        answerJson(exchange, fileObject(stored(file)));
      },
      onRefused: (error) => {
        outcome = error;
        // At once: what is left to do is to clean up.
        exchange.refuse(error);
      },
      onOver: resolve,
    });
    const abort = exchange.onAbort;
    exchange.onAbort = (reason) => {
      abort?.(reason);
      receiver.fail(abortError(reason));
    };
    body.receiver = receiver;
  });
  memory.release();
  return outcome;
}

async function list({ rows, settings }: FileEndpoints, exchange: Exchange): Promise<OrError<number>> {
  const filter = filterOf(exchange, ownersOf(exchange.principal, settings()));
  if (filter instanceof GatewayError) return filter;
  // One more than asked for tells whether there are more.
  const found = await rows.list({ ...filter, limit: filter.limit + 1 });
  if (found instanceof GatewayError) return found;
  if (found === undefined)
    return new GatewayError('invalid_parameter', { param: 'after', detail: 'No file has this id.' });
  const data = found.slice(0, filter.limit).map(fileObject);
  answerJson(exchange, {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > filter.limit,
  });
  return 200;
}

function filterOf({ headers }: Exchange, owners: readonly string[]): OrError<FileFilter> {
  const query = new URLSearchParams(headers.query ?? '');
  const limit = query.get('limit') ?? String(LIMIT.usual);
  if (!/^[1-9]\d{0,4}$/.test(limit) || Number(limit) > LIMIT.most) {
    return new GatewayError('invalid_parameter', {
      param: 'limit',
      detail: `It is a whole number from 1 to ${LIMIT.most}.`,
    });
  }
  const order = query.get('order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') {
    return new GatewayError('invalid_parameter', { param: 'order', detail: 'It is asc or desc.' });
  }
  return {
    owners,
    purpose: query.get('purpose') ?? undefined,
    after: query.get('after') ?? undefined,
    order,
    limit: Number(limit),
  };
}

async function show(files: FileEndpoints, exchange: Exchange): Promise<OrError<number>> {
  const file = await find(files, exchange);
  if (file instanceof GatewayError) return file;
  answerJson(exchange, fileObject(file));
  return 200;
}

function find({ rows, settings }: FileEndpoints, { params, principal }: Exchange): Promise<OrError<StoredFile>> {
  return rows.find(params['file_id'] ?? '', ownersOf(principal, settings()));
}

async function content(files: FileEndpoints, exchange: Exchange): Promise<OrError<number>> {
  return sendContent(files, exchange, exchange.params['file_id'] ?? '');
}

export async function sendContent(files: FileEndpoints, exchange: Exchange, id: string): Promise<OrError<number>> {
  const file = await files.rows.find(id, ownersOf(exchange.principal, files.settings()));
  if (file instanceof GatewayError) return file;
  const range = byteRange(exchange.headers.range, file.bytes);
  if (range === 'unsatisfiable') {
    return new GatewayError('range_not_satisfiable', { headers: ['content-range', `bytes */${file.bytes}`] });
  }
  const blob = await files.blobs.open(file.id);
  if (blob === undefined || blob.bytes !== file.bytes) {
    await blob?.close();
    const detail = 'The bytes of this file are not on this gateway.';
    return new GatewayError('blobs_unavailable', { detail, retryAfterMs: 5_000 });
  }
  const status = range === undefined ? 200 : 206;
  const { start, end } = range ?? { start: 0, end: file.bytes };
  const headers = ['content-type', 'application/octet-stream', 'accept-ranges', 'bytes', 'etag', `"${file.sha256}"`];
  headers.push('content-disposition', `attachment; filename*=UTF-8''${extended(file.filename)}`);
  headers.push('x-content-type-options', 'nosniff');
  if (range) headers.push('content-range', `bytes ${start}-${end - 1}/${file.bytes}`);
  exchange.pushOwnHeaders(headers, 0);
  exchange.sink.start(status, headers);
  await sendBlob(blob, start, end, exchange);
  return status;
}

/** RFC 8187 §3.2 */
function extended(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** First out of sight, then its row, then the bytes: a crash in between leaves all of it or nothing. */
async function remove(files: FileEndpoints, exchange: Exchange): Promise<OrError<number>> {
  const { rows, blobs, settings } = files;
  const file = await find(files, exchange);
  if (file instanceof GatewayError) return file;
  await blobs.withdraw(file.id);
  const refusal = await rows.delete(file.id, ownersOf(exchange.principal, settings()));
  if (refusal) {
    if (refusal.code !== 'not_found') await blobs.restore(file.id);
    return refusal;
  }
  await blobs.remove(file.id);
  answerJson(exchange, { id: file.id, object: 'file', deleted: true });
  return 200;
}

function fileObject(file: StoredFile) {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: Math.floor(file.createdAt / 1000),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
    sha256: file.sha256,
    // Undefined fields are left out.
    expires_at: file.expiresAt === undefined ? undefined : Math.floor(file.expiresAt / 1000),
  };
}
