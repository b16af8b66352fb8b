import { z } from 'zod';
import type { Usage } from '../inference/usage.ts';
import type { LedgerRowsTable } from '../store/tables/ledger-tables.ts';

const count = z.number().optional();

/** `details` of a row as row-details.ts wrote it; further fields of a newer version are kept. */
const detailsSchema = z.looseObject({
  path: z.string(),
  method: z.string().default('POST'),
  request_id: z.string().optional(),
  stream: z.boolean().default(false),
  thread: count,
  attempts: z.number().default(1),
  duration_ms: count,
  overhead_ms: count,
  upstream_ms: count,
  first_token_ms: count,
  inter_token_ms: count,
  bytes_in: count,
  bytes_out: count,
  usage_source: z.enum(['provider', 'estimate']).optional(),
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  cache_creation_1h_input_tokens: count,
  reasoning_output_tokens: count,
  audio_input_tokens: count,
  audio_output_tokens: count,
  provider_cost_usd: count,
  reserved_nano_usd: count,
  price_version: z.string().optional(),
  rules: z.unknown().optional(),
  charges: z.unknown().optional(),
  failed_attempts: z.unknown().optional(),
  error_detail: z.string().optional(),
});

export type RowDetails = z.output<typeof detailsSchema>;

/** Undefined: it is no such text. */
export function readDetails(json: string): RowDetails | undefined {
  try {
    return detailsSchema.safeParse(JSON.parse(json)).data;
  } catch {
    // No JSON: somebody changed it.
    return undefined;
  }
}

/** What the cost of a row is computed from. */
export function usageOf(row: Pick<LedgerRowsTable, 'input_tokens' | 'output_tokens'>, details: RowDetails): Usage {
  return {
    inputTokens: row.input_tokens ?? undefined,
    outputTokens: row.output_tokens ?? undefined,
    cacheReadInputTokens: details.cache_read_input_tokens,
    cacheCreationInputTokens: details.cache_creation_input_tokens,
    cacheCreation1hInputTokens: details.cache_creation_1h_input_tokens,
    reasoningOutputTokens: details.reasoning_output_tokens,
    audioInputTokens: details.audio_input_tokens,
    audioOutputTokens: details.audio_output_tokens,
    providerCostUsd: details.provider_cost_usd,
  };
}
