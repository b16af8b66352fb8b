import { z } from 'zod';
import type { Usage } from '../inference/usage.ts';
import {
  NUMBER_COUNTERS,
  type NumberCounter,
  RARE_COUNTERS,
  type RareCounts,
  USAGE_COUNTERS,
} from '../inference/usage-counters.ts';
import type { LedgerRow } from '../store/ledger-frame.ts';
import type { RowDetail } from './row-detail.ts';

/** Counters with a column of their own in a row; all other numbers of a usage must be in the list above. */
type InColumns = 'inputTokens' | 'outputTokens';
type ColumnOf<Name extends NumberCounter> = (typeof USAGE_COUNTERS)[Name]['column'];
const COUNTERS_IN_NUMBERS = NUMBER_COUNTERS.filter(
  (name): name is Exclude<NumberCounter, InColumns> => name !== 'inputTokens' && name !== 'outputTokens',
);

const detailSchema = z.looseObject({
  request_id: z.string().optional(),
  failed_attempts: z.array(z.unknown()).optional(),
  guardrails: z.array(z.unknown()).optional(),
  error_detail: z.string().optional(),
  usage: z.record(z.string(), z.number()).optional(),
  served_as: z.record(z.string(), z.string()).optional(),
  cache: z.record(z.string(), z.unknown()).optional(),
  unknown_cost: z.object({ part: z.string(), charged_nano_usd: z.number().optional() }).optional(),
});

/** What a row says was used, as its record did. */
export function usageOfRow({ input_tokens, output_tokens, numbers }: LedgerRow, detail: RowDetail): Usage {
  const usage: Usage = {
    inputTokens: input_tokens,
    outputTokens: output_tokens,
    rare: rareCountsOf(detail),
    providerCostUsd: numbers.provider_cost_usd,
  };
  for (const name of COUNTERS_IN_NUMBERS) {
    const column: ColumnOf<typeof name> = USAGE_COUNTERS[name].column;
    usage[name] = numbers[column];
  }
  return usage;
}

/** By the names of counters; columns of counters that this version does not know are left out. */
function rareCountsOf({ usage }: RowDetail): RareCounts | undefined {
  if (usage === undefined) return undefined;
  const rare: RareCounts = {};
  for (const name of RARE_COUNTERS) rare[name] = usage[USAGE_COUNTERS[name].column];
  return rare;
}

/** Empty where somebody changed it to something that cannot be read: the row's hash says so. */
export function readDetail(json: string | undefined): RowDetail {
  if (json === undefined) return {};
  try {
    return detailSchema.safeParse(JSON.parse(json)).data ?? {};
  } catch {
    return {};
  }
}
