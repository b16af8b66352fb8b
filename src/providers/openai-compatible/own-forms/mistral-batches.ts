import { countOf, isArray, isObject, type JsonObject, stringOf } from '../../../codec/json-value.ts';
import type { ListTerms } from '../../../inference/served-as.ts';
import { openAiResult } from '../../base/openai-batches.ts';
import type {
  AskedBatch,
  BatchResults,
  ProviderBatch,
  ProviderBatches,
  ProviderBatchLine,
} from '../../provider-batches.ts';

const PATH = '/v1/batch/jobs';
/** By the wire of the lines. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  'openai-chat': '/v1/chat/completions',
  'openai-embeddings': '/v1/embeddings',
  'openai-moderations': '/v1/moderations',
  'mistral-ocr': '/v1/ocr',
};
const STATUSES: Readonly<Record<string, string>> = {
  QUEUED: 'in_progress',
  RUNNING: 'in_progress',
  SUCCESS: 'completed',
  FAILED: 'failed',
  TIMEOUT_EXCEEDED: 'expired',
  CANCELLATION_REQUESTED: 'cancelling',
  CANCELLED: 'cancelled',
};
const OVER = new Set(['completed', 'failed', 'expired', 'cancelled']);
const MAX_HOURS = 168;

/** Jobs of Mistral, whose lines go within the request: https://docs.mistral.ai/api/endpoint/batch */
export const mistralBatches: ProviderBatches = {
  kind: 'translated',
  path: PATH,
  wires: Object.keys(ENDPOINTS),
  maxLines: 10_000,
  create: (lines, asked) => ({ path: PATH, body: requestOf(lines, asked) }),
  cancel: (id) => `/${encodeURIComponent(id)}/cancel`,
  pagesBy: 'cursor',
  page: (limit, from = '0') => `page_size=${limit}&page=${from}`,
  list({ data, total }, limit, from = '0') {
    if (!isArray(data)) return undefined;
    const page = Number(from) + 1;
    return { batches: data.filter(isObject), next: (countOf(total) ?? 0) > page * limit ? String(page) : undefined };
  },
  read,
  itemsIn: 'outputs',
  // Its results are in OpenAI's form.
  result: openAiResult,
};

/** https://docs.mistral.ai/studio-api/batch-processing */
export const mistralTerms: ListTerms = {
  multipliers: [
    {
      term: 'serviceTier',
      values: ['batch'],
      factor: 0.5,
      source: 'https://docs.mistral.ai/studio-api/batch-processing',
    },
  ],
};

/** The bodies as they are, between words of ours. */
function requestOf(lines: readonly ProviderBatchLine[], { wire, windowHours }: AskedBatch): Buffer {
  const models = new Set(lines.map(({ modelId }) => modelId));
  const [model] = models;
  const asked = {
    endpoint: ENDPOINTS[wire],
    timeout_hours: Math.min(MAX_HOURS, windowHours),
    // Else each line names its own.
    ...(models.size === 1 && { model }),
  };
  const parts: Buffer[] = [Buffer.from(`${JSON.stringify(asked).slice(0, -1)},"requests":[`)];
  for (const [index, { customId, body }] of lines.entries()) {
    const start = `${index === 0 ? '' : ','}{"custom_id":${JSON.stringify(customId)},"body":`;
    parts.push(Buffer.from(start), body, Buffer.from('}'));
  }
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
}

function read(job: JsonObject): ProviderBatch | undefined {
  const id = stringOf(job['id']);
  const status = STATUSES[stringOf(job['status']) ?? ''];
  if (id === undefined || status === undefined) return undefined;
  const isOver = OVER.has(status);
  return {
    id,
    status,
    isOver,
    results: isOver ? resultsOf(id, job) : [],
    createdAt: countOf(job['created_at']) ?? null,
    expiresAt: null,
    endedAt: countOf(job['completed_at']) ?? null,
    cancellingAt: null,
    counts: {
      total: countOf(job['total_requests']) ?? 0,
      completed: countOf(job['succeeded_requests']) ?? 0,
      failed: countOf(job['failed_requests']) ?? 0,
    },
  };
}

/** A job whose requests were sent with it holds its results itself, others have files of them. */
function resultsOf(id: string, job: JsonObject): BatchResults[] {
  const files = [job['output_file'], job['error_file']].map(stringOf).filter((file) => file !== undefined);
  const own: BatchResults = { path: `${PATH}/${encodeURIComponent(id)}`, as: 'items' };
  const kept = files.map(
    (file): BatchResults => ({ path: `/v1/files/${encodeURIComponent(file)}/content`, as: 'lines' }),
  );
  return stringOf(job['output_file']) === undefined ? [own, ...kept] : kept;
}
