import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { secondsOf } from '../base/batch-times.ts';
import type { ProviderBatch, ProviderBatches, ProviderBatchLine, ProviderResult } from '../provider-batches.ts';

/** Behind `BATCH_STATE_`, or `JOB_STATE_` as older answers say. */
const STATUSES: Readonly<Record<string, string>> = {
  PENDING: 'in_progress',
  RUNNING: 'in_progress',
  SUCCEEDED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  EXPIRED: 'expired',
};
const OVER = new Set(['completed', 'failed', 'cancelled', 'expired']);
const NAME = /^batches\/([\w-]+)$/;

/** Batches of one model whose requests and answers stand in the batch itself: https://ai.google.dev/api/batch-api */
export const geminiBatches: ProviderBatches = {
  kind: 'translated',
  path: '/batches',
  wires: ['gemini-generate-content'],
  // It takes 20 MB, and tells no bound of requests.
  maxLines: 50_000,
  create,
  cancel: (id) => `/${encodeURIComponent(id)}:cancel`,
  pagesBy: 'cursor',
  page: (limit, from) => `pageSize=${limit}${from === undefined ? '' : `&pageToken=${encodeURIComponent(from)}`}`,
  list({ operations = [], nextPageToken }) {
    return isArray(operations)
      ? { batches: operations.filter(isObject), next: stringOf(nextPageToken) || undefined }
      : undefined;
  },
  read,
  itemsIn: 'inlinedResponses',
  result,
};

function create(lines: readonly ProviderBatchLine[]): OrError<{ path: string; body: Buffer }> {
  const models = new Set(lines.map(({ model }) => model));
  const [model = ''] = models;
  if (models.size > 1) {
    const detail = `A batch of Gemini asks one model, and this one asks ${models.size}: make one for each of them.`;
    return new GatewayError('invalid_parameter', { param: 'input_file_id', detail });
  }
  const parts: Buffer[] = [Buffer.from('{"batch":{"displayName":"batch","inputConfig":{"requests":{"requests":[')];
  for (const [index, { customId, body }] of lines.entries()) {
    parts.push(Buffer.from(`${index === 0 ? '' : ','}{"request":`), body);
    parts.push(Buffer.from(`,"metadata":{"key":${JSON.stringify(customId)}}}`));
  }
  parts.push(Buffer.from(']}}}}'));
  return { path: `/models/${encodeURIComponent(model)}:batchGenerateContent`, body: Buffer.concat(parts) };
}

/** It is an operation, of which the batch is the metadata. */
function read({ name, done, metadata }: JsonObject): ProviderBatch | undefined {
  const id = NAME.exec(stringOf(name) ?? '')?.[1];
  if (id === undefined) return undefined;
  const batch = objectOf(metadata) ?? {};
  const told = STATUSES[stringOf(batch['state'])?.replace(/^(BATCH|JOB)_STATE_/, '') ?? ''];
  const status = told ?? (done === true ? 'completed' : 'in_progress');
  const stats = objectOf(batch['batchStats']) ?? {};
  return {
    id,
    status,
    isOver: OVER.has(status),
    results: status === 'completed' ? [{ path: `/batches/${id}`, as: 'items' }] : [],
    createdAt: secondsOf(batch['createTime']),
    expiresAt: null,
    endedAt: OVER.has(status) ? secondsOf(batch['endTime'] ?? batch['updateTime']) : null,
    cancellingAt: null,
    counts: {
      total: count(stats['requestCount']),
      completed: count(stats['successfulRequestCount']),
      failed: count(stats['failedRequestCount']),
    },
  };
}

/** A whole number, which Google writes as a text; one that is zero is left out. */
function count(value: unknown): number {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : typeof value === 'number' ? value : 0;
}

function result({ metadata, response, error }: JsonObject): ProviderResult | undefined {
  const customId = stringOf(objectOf(metadata)?.['key']);
  if (customId === undefined) return undefined;
  const answer = objectOf(response);
  if (answer !== undefined) {
    const { modelVersion, usageMetadata: usage } = answer;
    return { customId, answer, model: stringOf(modelVersion), usage, error: undefined };
  }
  const { status, code = status, message } = objectOf(error) ?? {};
  const told = {
    code: scalarText(code) ?? 'batch_error',
    message: stringOf(message) ?? 'The provider does not say why.',
  };
  return { customId, answer: undefined, error: told };
}
