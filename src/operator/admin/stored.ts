import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { allBatches, type StoredBatch } from '../../store/batches.ts';
import type { Database } from '../../store/database.ts';
import { allFiles, type StoredFile } from '../../store/files.ts';
import type { PageEnd } from '../../store/page-end.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';
import { limitHelp, pageLimit } from './page-limit.ts';

type Read<Row> = (database: Database, after: PageEnd | undefined, limit: number) => Promise<readonly Row[]>;

/** Batches and files of everybody, newest first. What is in them is their callers' and is not shown. */
export function storedRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  const query = {
    limit: limitHelp('How many'),
    after: '`next` of the page before',
  };
  return [
    {
      method: 'GET',
      path: '/admin/batches',
      session: { role: 'viewer', data: 'all' },
      summary: 'Batches of all callers, newest first: whose, how far, what was wrong with them',
      query,
      handle: (request) => page(request, database, allBatches, batchJson),
    },
    {
      method: 'GET',
      path: '/admin/files',
      session: { role: 'viewer', data: 'all' },
      summary: 'Files of all callers that are kept, newest first, without what is in them',
      query,
      handle: (request) => page(request, database, allFiles, fileJson),
    },
  ];
}

async function page<Row extends { readonly id: string; readonly createdAt: number }>(
  { query }: AdminRequest,
  database: Database,
  read: Read<Row>,
  json: (row: Row) => object,
): Promise<OrError<AdminAnswer>> {
  const limit = pageLimit(query);
  if (limit instanceof GatewayError) return limit;
  const cursor = query.get('after');
  const after = cursor === null ? undefined : endOf(cursor);
  if (cursor !== null && after === undefined) {
    return new GatewayError('invalid_parameter', { param: 'after', detail: 'It is `next` of an answer.' });
  }
  const rows = await read(database, after, limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? `${last.createdAt}.${last.id}` : null;
  return { status: 200, json: { data: shown.map(json), next } };
}

/** Undefined: it is none of ours. */
function endOf(cursor: string): PageEnd | undefined {
  const [, createdAt, id] = /^(\d{1,15})\.([\w-]{1,128})$/.exec(cursor) ?? [];
  return createdAt === undefined || id === undefined ? undefined : { createdAt: Number(createdAt), id };
}

function batchJson(batch: StoredBatch): object {
  return {
    id: batch.id,
    owner: batch.owner,
    created_by: batch.createdBy,
    endpoint: batch.endpoint,
    status: batch.status,
    total: batch.total,
    completed: batch.completed,
    failed: batch.failed,
    input_file_id: batch.inputFileId,
    output_file_id: batch.outputFileId ?? null,
    error_file_id: batch.errorFileId ?? null,
    created_at: instant(batch.createdAt),
    expires_at: instant(batch.expiresAt),
    ended_at: batch.endedAt === undefined ? null : instant(batch.endedAt),
    faults: batch.faults.map(({ code, message, line }) => ({ code, message, line: line ?? null })),
  };
}

function fileJson(file: StoredFile): object {
  return {
    id: file.id,
    owner: file.owner,
    created_by: file.createdBy,
    filename: file.filename,
    purpose: file.purpose,
    bytes: file.bytes,
    sha256: file.sha256,
    created_at: instant(file.createdAt),
    expires_at: file.expiresAt === undefined ? null : instant(file.expiresAt),
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
