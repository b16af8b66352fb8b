import { eventually } from './gateway.ts';

const TRIES = 3;

/**
 * The least of up to three measurements, of what a busy machine can only add to: a fault of ours is in each of them. The
 * first one within `bound` is the last.
 */
export async function leastOf(bound: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least > bound; tries += 1) least = Math.min(least, await measure());
  return least;
}

/**
 * Asks until it is so, and gives the milliseconds to the beginning of the last look that found it otherwise: it
 * took that long at least. What the looks themselves take on a busy machine is no part of it.
 */
export async function lastOtherwiseMs(what: string, holds: () => Promise<boolean>): Promise<number> {
  const from = performance.now();
  let lastMs = 0;
  await eventually(what, async () => {
    const ms = performance.now() - from;
    const isSo = await holds();
    if (!isSo) lastMs = ms;
    return isSo;
  });
  return lastMs;
}
