/**
 * The place of a row in all chains as one whole number: 8,191 chains (gateways) of 10^12 rows each fit below 2^53. One
 * column then is the key, the order and the range of a chain.
 */
const PLACES = 2 ** 40;

export const MOST_CHAINS = 2 ** 13 - 1;

/** `seq` counts from 1. */
export function chainPosition(chain: number, seq: number): number {
  return chain * PLACES + seq;
}

export function chainOf(position: number): number {
  return Math.floor(position / PLACES);
}

export function seqOf(position: number): number {
  return position % PLACES;
}
