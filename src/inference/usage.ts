import { type ServedAs, servedAfter } from './served-as.ts';
import {
  type CounterName,
  isNumberCounter,
  NUMBER_COUNTERS,
  type NumberCounter,
  RARE_COUNTERS,
  type RareCounter,
  type RareCounts,
  USAGE_COUNTERS,
} from './usage-counters.ts';

/** What one exchange used. Undefined is not zero: it means that nobody said. */
export interface Usage extends Counts {
  /** Undefined nearly always, so that who is in a hurry looks at one field for all of them. */
  rare?: Readonly<RareCounts>;
  /** Where the answer was not served as by default, and is billed otherwise for it. */
  servedAs?: ServedAs;
  /** What the provider itself says it billed, in US dollars (OpenRouter, Perplexity, xAI). */
  providerCostUsd?: number;
}

type Counts = { [Name in NumberCounter]?: number };

/**
 * The most tokens of one exchange: more than any context holds. Ledger and budgets add whole nano-dollars, exact to
 * 2^53: a provider that says thousands of millions each time would have them there after a few hundred answers.
 */
export const MAX_COUNT = 2 ** 24;
/** Seven weeks of audio. */
const MAX_MS = 2 ** 32;

/**
 * Later counts win, counter by counter; undefined leaves as is. Providers send partial counts in order. What is no count
 * (negative, endless) is as if it was not said, and a fraction is rounded: one such answer must not spoil the ledger.
 * Counters that nearly every answer tells are merged one by one: a loop over them takes a tenth of reading a whole small
 * answer (bench: usage-reading).
 */
export function mergeUsage(into: Usage, later: Usage): void {
  if (isCount(later.inputTokens)) into.inputTokens = Math.round(later.inputTokens);
  if (isCount(later.outputTokens)) into.outputTokens = Math.round(later.outputTokens);
  if (isCount(later.cacheReadInputTokens)) into.cacheReadInputTokens = Math.round(later.cacheReadInputTokens);
  if (isCount(later.cacheCreationInputTokens))
    into.cacheCreationInputTokens = Math.round(later.cacheCreationInputTokens);
  if (isCount(later.cacheCreation1hInputTokens))
    into.cacheCreation1hInputTokens = Math.round(later.cacheCreation1hInputTokens);
  if (isCount(later.reasoningOutputTokens)) into.reasoningOutputTokens = Math.round(later.reasoningOutputTokens);
  if (isCount(later.audioInputTokens)) into.audioInputTokens = Math.round(later.audioInputTokens);
  if (isCount(later.audioOutputTokens)) into.audioOutputTokens = Math.round(later.audioOutputTokens);
  if (later.rare !== undefined) into.rare = mergedRare(into.rare, later.rare);
  if (later.servedAs !== undefined) into.servedAs = servedAfter(into.servedAs, later.servedAs);
  if (later.providerCostUsd !== undefined) into.providerCostUsd = later.providerCostUsd;
}

function mergedRare(before: RareCounts | undefined, later: RareCounts): RareCounts | undefined {
  const merged: RareCounts = { ...before };
  for (const name of RARE_COUNTERS) {
    const count = later[name];
    const max = USAGE_COUNTERS[name].unit === 'ms' ? MAX_MS : MAX_COUNT;
    if (isCount(count, max) && (count > 0 || 'keepsZero' in USAGE_COUNTERS[name] || name in merged))
      merged[name] = Math.round(count);
  }
  return isEmpty(merged) ? undefined : merged;
}

function isCount(count: number | undefined, max = MAX_COUNT): count is number {
  return count !== undefined && count >= 0 && count <= max;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** The count of any counter, wherever it is carried. */
export function countIn(usage: Readonly<Usage>, name: CounterName): number | undefined {
  return isNumberCounter(name) ? usage[name] : usage.rare?.[name];
}

/** Adds counts that a provider tells apart for parts of one exchange. */
export function addCounts(into: Usage, part: Usage): void {
  for (const name of NUMBER_COUNTERS) into[name] = sum(into[name], part[name]);
  if (part.rare === undefined) return;
  const rare: RareCounts = { ...into.rare };
  for (const name of RARE_COUNTERS) if (part.rare[name] !== undefined) rare[name] = sum(rare[name], part.rare[name]);
  into.rare = rare;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a + b;
}

/** The usage of the prompt, whatever became of the answer; no cost, which would be that of the whole answer. */
export function inputUsage(usage: Readonly<Usage>): Usage {
  const input: Usage = usage.servedAs === undefined ? {} : { servedAs: usage.servedAs };
  for (const name of NUMBER_COUNTERS) {
    if (USAGE_COUNTERS[name].side === 'input' && usage[name] !== undefined) input[name] = usage[name];
  }
  if (usage.rare === undefined) return input;
  const rare = Object.entries(usage.rare).filter(([name]) => USAGE_COUNTERS[name as RareCounter].side === 'input');
  if (rare.length > 0) input.rare = Object.fromEntries(rare);
  return input;
}

/** Whether anything is told at all. */
export function tellsAnything(usage: Readonly<Usage>): boolean {
  for (const name in usage) if (usage[name as keyof Usage] !== undefined) return true;
  return false;
}
