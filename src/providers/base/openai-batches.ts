import { countOf, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { ProviderBatch, ProviderBatches, ProviderResult } from '../provider.ts';

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
      results: output === undefined ? [] : [`/v1/files/${encodeURIComponent(output)}/content`],
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
  result(line: JsonObject): ProviderResult | undefined {
    const customId = stringOf(line['custom_id']);
    const answer = objectOf(objectOf(line['response'])?.['body']);
    return customId === undefined ? undefined : { customId, answer, error: undefined };
  },
};

/** Of a provider whose batches live in a store that the gateway does not reach. */
export function noBatches(reason: string): ProviderBatches {
  return { kind: 'none', reason };
}
