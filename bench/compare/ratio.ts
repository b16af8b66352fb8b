import { median } from '../harness/median.ts';

export interface Ratio {
  /** B over A, median of the rounds: below 1, B is faster. */
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly verdict: 'faster' | 'slower' | 'same';
}

/** Less than this is not worth a word even where every round agrees: code layout alone makes it. */
const MEANINGFUL = 0.02;

/**
 * One ratio a round, of two measurements made one right after the other: what the machine does slowly (clock speed,
 * neighbours) is in both. Only what every round agrees on is called a difference.
 */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const ratios = a.map((nsOfA, round) => (b[round] ?? Number.NaN) / nsOfA);
  const middle = median(ratios);
  const least = Math.min(...ratios);
  const most = Math.max(...ratios);
  const verdict =
    most < 1 && middle < 1 - MEANINGFUL ? 'faster' : least > 1 && middle > 1 + MEANINGFUL ? 'slower' : 'same';
  return { median: middle, least, most, verdict };
}
