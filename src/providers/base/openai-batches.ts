import { countOf, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { ProviderBatch, ProviderBatches, ProviderResult } from '../provider-batches.ts';

const OVER = new Set(['completed', 'failed', 'expired', 'cancelled']);

/** https://platform.openai.com/docs/api-reference/batch */
export const openAiBatches: ProviderBatches = {
  kind: 'passed',
  path: '/v1/batches',
  read(batch: JsonObject): ProviderBatch | undefined {
    const [id, status] = [stringOf(batch['id']), stringOf(batch['status'])];
    if (id === undefined || status === undefined) return undefined;
    const counts = objectOf(batch['request_counts']) ?? {};
    const output = stringOf(batch['output_file_id']);
    return {
      id,
      status,
      isOver: OVER.has(status),
      results: output === undefined ? [] : [{ path: `/v1/files/${encodeURIComponent(output)}/content`, as: 'lines' }],
      createdAt: countOf(batch['created_at']) ?? null,
      expiresAt: countOf(batch['expires_at']) ?? null,
      endedAt: countOf(batch['completed_at']) ?? null,
      cancellingAt: countOf(batch['cancelling_at']) ?? null,
      counts: {
        total: countOf(counts['total']) ?? 0,
        completed: countOf(counts['completed']) ?? 0,
        failed: countOf(counts['failed']) ?? 0,
      },
    };
  },
  result: openAiResult,
};

/** https://platform.openai.com/docs/api-reference/batch/request-output */
export function openAiResult(line: JsonObject): ProviderResult | undefined {
  const customId = stringOf(line['custom_id']);
  if (customId === undefined) return undefined;
  const response = objectOf(line['response']);
  const body = objectOf(response?.['body']);
  if (body !== undefined && (countOf(response?.['status_code']) ?? 200) < 400) {
    return { customId, answer: body, error: undefined };
  }
  const told = objectOf(line['error']) ?? objectOf(body?.['error']) ?? body;
  const code = stringOf(told?.['code']) ?? stringOf(told?.['type']) ?? 'batch_error';
  const message = stringOf(told?.['message']) ?? stringOf(line['error']) ?? 'The provider does not say why.';
  return { customId, answer: undefined, error: { code, message } };
}

/** A provider whose batches live in a store that the gateway does not reach has none. */
export function noBatches(reason: string): ProviderBatches {
  return { kind: 'none', reason };
}
