import { z } from 'zod';

/** Limits are counted in whole numbers of at most 2^53: above it doubles skip some. */

const NANO_PER_DOLLAR = 1_000_000_000;
const mostDollars = Math.floor(Number.MAX_SAFE_INTEGER / NANO_PER_DOLLAR);

const dollarError = `US dollars, a number from 0 to ${mostDollars}`;

const fractionError = 'US dollars, in whole billionths (0.000000001)';

/** US dollars as written, as integer nano-dollars. */
export const dollars = z
  .number({ error: dollarError })
  .min(0, { error: dollarError })
  .max(mostDollars, { error: dollarError })
  .refine(isWholeNano, { error: fractionError })
  .transform(nanoDollars);

function nanoDollars(amount: number): number {
  return Math.round(amount * NANO_PER_DOLLAR);
}

/** A limit of 0.0000000004 would be rounded to none at all. What a division left at the far end of a double is no matter. */
function isWholeNano(amount: number): boolean {
  const nano = amount * NANO_PER_DOLLAR;
  return Math.abs(Math.round(nano) - nano) <= Math.round(nano) * 1e-9;
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
  const fault = cost ? dollarFault(written) : countFault(written, counts);
  if (fault !== undefined) context.issues.push({ code: 'custom', message: fault, path: ['limit_to'], input: written });
  return cost ? nanoDollars(written) : written;
}

function dollarFault(written: number): string | undefined {
  if (written > mostDollars) return dollarError;
  return isWholeNano(written) ? undefined : fractionError;
}

function countFault(written: number, counts: string): string | undefined {
  return Number.isSafeInteger(written) ? undefined : `a whole number from 0 to ${Number.MAX_SAFE_INTEGER} (${counts})`;
}
