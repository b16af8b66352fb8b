import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { secondsOf } from '../base/batch-times.ts';
import type { ProviderBatch, ProviderBatches, ProviderBatchLine, ProviderResult } from '../provider-batches.ts';

const PATH = '/v1/messages/batches';

/** https://platform.claude.com/docs/en/api/creating-message-batches */
export const messageBatches: ProviderBatches = {
  kind: 'translated',
  path: PATH,
  wires: ['anthropic-messages'],
  maxLines: 100_000,
  create: (lines) => ({ path: PATH, body: requestOf(lines) }),
  cancel: (id) => `/${encodeURIComponent(id)}/cancel`,
  pagesBy: 'id',
  page: (limit, after) => `limit=${limit}${after === undefined ? '' : `&after_id=${encodeURIComponent(after)}`}`,
  list(page) {
    const { data, has_more: hasMore, last_id: lastId } = page;
    if (!isArray(data)) return undefined;
    const batches = data.filter(isObject);
    return { batches, next: hasMore === true ? (stringOf(lastId) ?? stringOf(batches.at(-1)?.['id'])) : undefined };
  },
  read,
  result,
};

/** The bodies as they are, between words of ours. */
function requestOf(lines: readonly ProviderBatchLine[]): Buffer {
  const parts: Buffer[] = [Buffer.from('{"requests":[')];
  for (const [index, { customId, body }] of lines.entries()) {
    const start = `${index === 0 ? '' : ','}{"custom_id":${JSON.stringify(customId)},"params":`;
    parts.push(Buffer.from(start), body, Buffer.from('}'));
  }
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
}

function read(batch: JsonObject): ProviderBatch | undefined {
  const id = stringOf(batch['id']);
  const state = stringOf(batch['processing_status']);
  const told = objectOf(batch['request_counts']);
  if (id === undefined || state === undefined || told === undefined) return undefined;
  const count = (name: string): number => (typeof told[name] === 'number' ? told[name] : 0);
  const [succeeded, errored, canceled, expired] = [
    count('succeeded'),
    count('errored'),
    count('canceled'),
    count('expired'),
  ];
  const failed = errored + canceled + expired;
  const isOver = state === 'ended';
  return {
    id,
    status: statusOf(state, { canceled, expired }),
    isOver,
    results: isOver ? [{ path: `${PATH}/${encodeURIComponent(id)}/results`, as: 'lines' }] : [],
    createdAt: secondsOf(batch['created_at']),
    expiresAt: secondsOf(batch['expires_at']),
    endedAt: secondsOf(batch['ended_at']),
    cancellingAt: secondsOf(batch['cancel_initiated_at']),
    counts: { total: succeeded + failed + count('processing'), completed: succeeded, failed },
  };
}

function statusOf(state: string, { canceled, expired }: { canceled: number; expired: number }): string {
  if (state === 'canceling') return 'cancelling';
  if (state !== 'ended') return 'in_progress';
  if (canceled > 0) return 'cancelled';
  return expired > 0 ? 'expired' : 'completed';
}

function result(line: JsonObject): ProviderResult | undefined {
  const customId = stringOf(line['custom_id']);
  const told = objectOf(line['result']);
  const type = stringOf(told?.['type']);
  if (customId === undefined || type === undefined) return undefined;
  const answer = objectOf(told?.['message']);
  if (type === 'succeeded' && answer !== undefined) return { customId, answer, error: undefined };
  const outer = objectOf(told?.['error']);
  const inner = objectOf(outer?.['error']) ?? outer;
  const code = stringOf(inner?.['type']) ?? WORDS[type]?.code ?? 'batch_error';
  const message = stringOf(inner?.['message']) ?? WORDS[type]?.message ?? 'The provider does not say why.';
  return { customId, answer: undefined, error: { code, message } };
}

const WORDS: Readonly<Record<string, { code: string; message: string }>> = {
  canceled: { code: 'batch_cancelled', message: 'This request was cancelled before it was run.' },
  expired: { code: 'batch_expired', message: 'This request could not be run before its batch expired.' },
};
