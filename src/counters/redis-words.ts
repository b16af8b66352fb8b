import type { Cell } from './cell.ts';

/** How keys and cells are said to Redis; the scripts say it in the same words. */
const PREFIX = 'sluice:';

export const OWNERS_KEY = `${PREFIX}owners`;

export function heldKey(owner: string): string {
  return `${PREFIX}held:${owner}`;
}

export function cellKey(cell: Cell): string {
  return PREFIX + cell.name;
}

export function nameKey(cellName: string): string {
  return PREFIX + cellName;
}

/** Milliseconds of a sliding window, the name of a period, or 0 for what is open. */
export function windowArgument({ window }: Cell): string {
  switch (window.kind) {
    case 'sliding':
      return String(window.ms);
    case 'calendar':
      return window.period;
    case 'open':
      return '0';
  }
}

/** What a script answers with; empty for whatever else an endpoint that is no Redis may say. */
export function numbersOf(reply: unknown): readonly number[] {
  return Array.isArray(reply) && reply.every((each) => typeof each === 'number') ? reply : [];
}

/** Infinity is said as -1: no limit. */
export function limitArgument(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? '-1' : String(limit);
}
