import { z } from 'zod';
import type { Usage } from '../inference/usage.ts';
import { type RateTable, tokenCostNanoUsd } from './token-rates.ts';

/** In place of rates: the cost is what the provider itself says it billed. */
export const REPORTED_BASIS = 'reported';

const texts = new WeakMap<RateTable, string>();

/** The rates as JSON, so that a cost can be computed again from its record alone; made once a table. */
export function basisOf(table: RateTable): string {
  let text = texts.get(table);
  if (text === undefined) {
    text = JSON.stringify(table);
    texts.set(table, text);
  }
  return text;
}

const rate = z.number().nonnegative().optional();
const bandSchema = z.object({
  fromInputTokens: z.number().nonnegative(),
  rates: z.object({
    input: rate,
    output: rate,
    cacheRead: rate,
    cacheWrite: rate,
    cacheWrite1h: rate,
    reasoning: rate,
    audioInput: rate,
    audioOutput: rate,
  }),
});
const tableSchema = z.object({ perExchange: z.number(), bands: z.tuple([bandSchema], bandSchema) });

/** Integer nano-dollars by the rates that `basisOf` gave; throws where the text is no such table. */
export function recomputedNanoUsd(basis: string, usage: Usage): number | undefined {
  return tokenCostNanoUsd(tableSchema.parse(JSON.parse(basis)), usage);
}
