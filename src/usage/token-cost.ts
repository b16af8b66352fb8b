import type { Usage } from '../inference/usage.ts';
import { RARE_COUNTERS, type RareCounter, type RareCounts, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import {
  bandOf,
  type RateTable,
  type TokenRates,
  UNIT_COUNTERS,
  type UnitCounter,
  type UnitRates,
} from './token-rates.ts';

type RareTokens = Exclude<RareCounter, UnitCounter>;

const RARE_TOKENS = RARE_COUNTERS.filter((name): name is RareTokens => 'partOf' in USAGE_COUNTERS[name]).map(
  (name) => ({ name, ...USAGE_COUNTERS[name] }),
);
const UNITS = UNIT_COUNTERS.map((name) => ({ name, ...USAGE_COUNTERS[name] }));

/**
 * Integer nano-dollars; or the column of a counter that is billed and cannot be priced: it has no rate of its own, or
 * nobody counted it. A guess of zero would let a budget be passed by a provider that reports nothing.
 */
export function pricedNanoUsd(table: RateTable, usage: Usage): number | string {
  const { rates } = bandOf(table, usage.inputTokens);
  return unpricedColumn(table, rates, usage) ?? costBy(table, rates, usage) ?? missingColumn(table, rates, usage);
}

/**
 * Integer nano-dollars, where parts without a rate are billed with their whole; undefined where a count that is billed is
 * unknown. So costs of the ledger are computed again, older ones too, which were written by this rule alone.
 */
export function tokenCostNanoUsd(table: RateTable, usage: Usage): number | undefined {
  return costBy(table, bandOf(table, usage.inputTokens).rates, usage);
}

function costBy(table: RateTable, rates: TokenRates, usage: Usage): number | undefined {
  const { inputTokens, outputTokens, rare } = usage;
  if (inputTokens === undefined && outputTokens === undefined && rare === undefined) return undefined;
  let cost = table.perExchange;
  if (rates.input) {
    if (inputTokens === undefined || !(inputTokens >= 0)) return undefined;
    cost += inputCost(rates, rates.input, usage, inputTokens);
  }
  if (rates.output) {
    if (outputTokens === undefined || !(outputTokens >= 0)) return undefined;
    cost += outputCost(rates, rates.output, usage, outputTokens);
  }
  if (table.each !== undefined) {
    const units = unitCost(table.each, rare);
    // A cost by units alone is unknown where nobody counted any.
    if (units === undefined && !rates.input && !rates.output && table.perExchange === 0) return undefined;
    if (units !== undefined) cost += units;
  }
  const rounded = Math.round(cost);
  return Number.isSafeInteger(rounded) && rounded >= 0 ? rounded : undefined;
}

/**
 * Parts that have a rate of their own are taken out of the whole. A part that nobody reported stays in the whole. Audio
 * that was read from a cache is counted in both parts by providers, so the rest cannot be taken below zero. Where the
 * provider says how many tokens it bills, these are billed and nothing is taken apart.
 */
function inputCost(rates: TokenRates, whole: number, usage: Usage, inputTokens: number): number {
  const billed = usage.rare?.billedInputTokens;
  if (billed !== undefined) return billed * (rates.billedInput ?? whole);
  let rest = inputTokens;
  let cost = 0;
  const read = usage.cacheReadInputTokens;
  if (read && rates.cacheRead !== undefined) {
    rest -= read;
    cost += read * rates.cacheRead;
  }
  const written = usage.cacheCreationInputTokens;
  if (written && rates.cacheWrite !== undefined) {
    rest -= written;
    let forHour = usage.cacheCreation1hInputTokens;
    if (forHour === undefined || rates.cacheWrite1h === undefined) forHour = 0;
    else forHour = Math.min(forHour, written);
    cost += (written - forHour) * rates.cacheWrite + forHour * (rates.cacheWrite1h ?? rates.cacheWrite);
  }
  const audio = usage.audioInputTokens;
  if (audio && rates.audioInput !== undefined) {
    rest -= audio;
    cost += audio * rates.audioInput;
  }
  if (usage.rare !== undefined) {
    for (const { name, rate, partOf } of RARE_TOKENS) {
      const count = usage.rare[name];
      const own = rates[rate];
      if (partOf !== 'inputTokens' || !count || own === undefined) continue;
      rest -= count;
      cost += count * own;
    }
  }
  return rest > 0 ? cost + rest * whole : cost;
}

function outputCost(rates: TokenRates, whole: number, usage: Usage, outputTokens: number): number {
  const billed = usage.rare?.billedOutputTokens;
  if (billed !== undefined) return billed * (rates.billedOutput ?? whole);
  let rest = outputTokens;
  let cost = 0;
  const reasoning = usage.reasoningOutputTokens;
  if (reasoning && rates.reasoning !== undefined) {
    rest -= reasoning;
    cost += reasoning * rates.reasoning;
  }
  const audio = usage.audioOutputTokens;
  if (audio && rates.audioOutput !== undefined) {
    rest -= audio;
    cost += audio * rates.audioOutput;
  }
  if (usage.rare !== undefined) {
    for (const { name, rate, partOf } of RARE_TOKENS) {
      const count = usage.rare[name];
      const own = rates[rate];
      if (partOf !== 'outputTokens' || !count || own === undefined) continue;
      rest -= count;
      cost += count * own;
    }
  }
  return rest > 0 ? cost + rest * whole : cost;
}

/** Undefined: nothing that has a rate was told. */
function unitCost(each: UnitRates, rare: RareCounts | undefined): number | undefined {
  if (rare === undefined) return undefined;
  let cost: number | undefined;
  for (const { name, rate } of UNITS) {
    const count = rare[name];
    const own = each[rate];
    if (count !== undefined && own !== undefined) cost = (cost ?? 0) + count * own;
  }
  return cost;
}

/** The column of what was used, is billed at its own rate alone and has none. What belongs to a free whole is free. */
function unpricedColumn(table: RateTable, rates: TokenRates, usage: Usage): string | undefined {
  if (usage.audioInputTokens && rates.audioInput === undefined && rates.input)
    return USAGE_COUNTERS.audioInputTokens.column;
  if (usage.audioOutputTokens && rates.audioOutput === undefined && rates.output)
    return USAGE_COUNTERS.audioOutputTokens.column;
  return usage.rare === undefined ? undefined : unpricedUnit(table, rates, usage.rare)?.column;
}

function unpricedUnit(table: RateTable, rates: TokenRates, rare: RareCounts) {
  // A price of the exchange as a whole holds its searches; a model that is free asks nothing for them.
  if (table.perExchange > 0 || !(rates.input || rates.output || table.each)) return undefined;
  return UNITS.find((unit) => 'ownRate' in unit && rare[unit.name] && table.each?.[unit.rate] === undefined);
}

/** What the cost of such a table would need to be known. */
function missingColumn(table: RateTable, rates: TokenRates, { inputTokens, outputTokens }: Usage): string {
  if (rates.input && inputTokens === undefined) return USAGE_COUNTERS.inputTokens.column;
  if (rates.output && outputTokens === undefined) return USAGE_COUNTERS.outputTokens.column;
  const unit = UNITS.find(({ rate }) => table.each?.[rate] !== undefined);
  // Images alone have prices of which none may fit.
  const priceless = table.each === undefined ? USAGE_COUNTERS.inputTokens : USAGE_COUNTERS.outputImages;
  return (unit ?? priceless).column;
}

/** The dearest audio of the price library next to its model's text: 6.5 to 0.2 dollars (gemini-embedding-2). */
const AUDIO_TIMES_TEXT = 33;
/** A search of the web with a large context: https://openai.com/api/pricing (gpt-4o-search-preview, 50 dollars for 1,000). */
const DEAREST_UNIT_NANO_USD = 50_000_000;

/** The most that an exchange can have cost whose parts have no rate of their own; undefined: nobody can say. */
export function atMostNanoUsd(table: RateTable, usage: Usage): number | undefined {
  const { rates } = bandOf(table, usage.inputTokens);
  const cost = costBy(table, rates, usage);
  if (cost === undefined) return undefined;
  let more = 0;
  const { input = 0, output = 0, audioInput, audioOutput } = rates;
  if (usage.audioInputTokens && audioInput === undefined) more += usage.audioInputTokens * input * AUDIO_TIMES_TEXT;
  if (usage.audioOutputTokens && audioOutput === undefined) more += usage.audioOutputTokens * output * AUDIO_TIMES_TEXT;
  const { rare } = usage;
  if (rare !== undefined && unpricedUnit(table, rates, rare) !== undefined) {
    for (const unit of UNITS) {
      const count = rare[unit.name];
      if (!count || !('ownRate' in unit) || table.each?.[unit.rate] !== undefined) continue;
      more += count * (unit.unit === 'tokens' ? Math.max(input, output) : DEAREST_UNIT_NANO_USD);
    }
  }
  const most = Math.ceil(cost + more);
  return Number.isSafeInteger(most) ? most : undefined;
}
