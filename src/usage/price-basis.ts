import { madeOnce } from '../core/made-once.ts';
import { zodLater } from '../core/zod-later.ts';
import type { Usage } from '../inference/usage.ts';
import { tokenCostNanoUsd } from './token-cost.ts';
import { type RateTable, TOKEN_RATES, UNIT_RATES } from './token-rates.ts';

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

const tableSchema = madeOnce(() => {
  const z = zodLater();
  const rate = z.number().nonnegative();
  const band = z.object({
    fromInputTokens: z.number().nonnegative(),
    rates: z.partialRecord(z.enum(TOKEN_RATES), rate),
  });
  return z.object({
    perExchange: z.number(),
    bands: z.tuple([band], band),
    each: z.partialRecord(z.enum(UNIT_RATES), rate).optional(),
  });
});

/** Integer nano-dollars by the rates that `basisOf` gave; throws where the text is no such table. */
export function recomputedNanoUsd(basis: string, usage: Usage): number | undefined {
  return tokenCostNanoUsd(tableSchema().parse(JSON.parse(basis)), usage);
}
