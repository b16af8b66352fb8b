import { z } from 'zod';

/** Limits are counted in whole numbers of at most 2^53: above it doubles skip some. */

export const NANO_PER_DOLLAR = 1_000_000_000;
const mostDollars = Math.floor(Number.MAX_SAFE_INTEGER / NANO_PER_DOLLAR);

const dollarError = `US dollars, a number from 0 to ${mostDollars}`;

/** US dollars as written, as integer nano-dollars. */
export const dollars = z
  .number({ error: dollarError })
  .min(0, { error: dollarError })
  .max(mostDollars, { error: dollarError })
  .transform(nanoDollars);

export function nanoDollars(amount: number): number {
  return Math.round(amount * NANO_PER_DOLLAR);
}

const limitError = 'a number, 0 or more';

/** `limit_to` before its unit is known. */
export const limitTo = z.number({ error: limitError }).min(0, { error: limitError });

/** In the unit's own counts; what is wrong with it is said at `limit_to`. */
export function limitAmount(
  written: number,
  counts: 'requests' | 'tokens' | 'cost' | 'concurrent',
  context: z.core.$RefinementCtx,
): number {
  const cost = counts === 'cost';
  const allowed = cost ? dollarError : `a whole number from 0 to ${Number.MAX_SAFE_INTEGER} (${counts})`;
  if (cost ? written > mostDollars : !Number.isSafeInteger(written)) {
    context.issues.push({ code: 'custom', message: allowed, path: ['limit_to'], input: written });
  }
  return cost ? nanoDollars(written) : written;
}
