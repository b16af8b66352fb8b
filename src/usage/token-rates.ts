import type { Usage } from '../inference/usage.ts';

/**
 * What the tokens of one exchange cost, in nano-dollars (1e-9 USD) per token. Undefined: billed with the whole that
 * the part belongs to (cache reads as input, one-hour cache writes as cache writes, reasoning as output), or, for
 * input and output themselves, not billed at all (embeddings have no output price).
 */
export interface TokenRates {
  input?: number;
  output?: number;
  cacheRead?: number;
  cacheWrite?: number;
  cacheWrite1h?: number;
  reasoning?: number;
  audioInput?: number;
  audioOutput?: number;
}

/** The rates that hold for an exchange with at least this many input tokens: the whole exchange, not the excess. */
export interface RateBand {
  fromInputTokens: number;
  rates: TokenRates;
}

/** Ascending by `fromInputTokens`, the first at 0. */
export interface RateTable {
  perExchange: number;
  bands: readonly [RateBand, ...RateBand[]];
}

/**
 * Integer nano-dollars; undefined where a count that is billed is unknown: a guess of zero would let a budget be
 * passed by a provider that reports nothing.
 */
export function tokenCostNanoUsd(table: RateTable, usage: Usage): number | undefined {
  const { inputTokens, outputTokens } = usage;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  let band = table.bands[0];
  if (table.bands.length > 1 && inputTokens !== undefined) {
    for (const next of table.bands) if (inputTokens >= next.fromInputTokens) band = next;
  }
  const rates = band.rates;
  let cost = table.perExchange;
  if (rates.input) {
    if (inputTokens === undefined || !(inputTokens >= 0)) return undefined;
    cost += inputCost(rates, rates.input, usage, inputTokens);
  }
  if (rates.output) {
    if (outputTokens === undefined || !(outputTokens >= 0)) return undefined;
    cost += outputCost(rates, rates.output, usage, outputTokens);
  }
  const rounded = Math.round(cost);
  return Number.isSafeInteger(rounded) && rounded >= 0 ? rounded : undefined;
}

/**
 * Parts that have a rate of their own are taken out of the whole. A part that nobody reported stays in the whole. Audio
 * that was read from a cache is counted in both parts by providers, so the rest cannot be taken below zero.
 */
function inputCost(rates: TokenRates, whole: number, usage: Usage, inputTokens: number): number {
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
  return rest > 0 ? cost + rest * whole : cost;
}

function outputCost(rates: TokenRates, whole: number, usage: Usage, outputTokens: number): number {
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
  return rest > 0 ? cost + rest * whole : cost;
}

/** A copy with every rate multiplied; how a discount is taken off. */
export function scaledTable(table: RateTable, factor: number): RateTable {
  const [first, ...others] = table.bands;
  return {
    perExchange: table.perExchange * factor,
    bands: [scaledBand(first, factor), ...others.map((band) => scaledBand(band, factor))],
  };
}

function scaledBand(band: RateBand, factor: number): RateBand {
  const { input, output, cacheRead, cacheWrite, cacheWrite1h, reasoning, audioInput, audioOutput } = band.rates;
  const scale = (rate: number | undefined) => (rate === undefined ? undefined : rate * factor);
  return {
    fromInputTokens: band.fromInputTokens,
    rates: {
      input: scale(input),
      output: scale(output),
      cacheRead: scale(cacheRead),
      cacheWrite: scale(cacheWrite),
      cacheWrite1h: scale(cacheWrite1h),
      reasoning: scale(reasoning),
      audioInput: scale(audioInput),
      audioOutput: scale(audioOutput),
    },
  };
}

/** One rate over the number of input tokens: a base and the steps from which another value holds. */
export interface SteppedRate {
  base: number;
  steps: readonly { fromInputTokens: number; rate: number }[];
}

export type SteppedRates = { [Name in keyof TokenRates]?: SteppedRate };

/** Lays the steps of all rates over one another, so that choosing a price is one comparison per band. */
export function layeredTable(stepped: SteppedRates, perExchange: number): RateTable {
  const starts = new Set<number>();
  for (const rate of Object.values(stepped)) for (const step of rate?.steps ?? []) starts.add(step.fromInputTokens);
  starts.delete(0);
  const bandFrom = (fromInputTokens: number): RateBand => ({
    fromInputTokens,
    rates: {
      input: rateAt(stepped.input, fromInputTokens),
      output: rateAt(stepped.output, fromInputTokens),
      cacheRead: rateAt(stepped.cacheRead, fromInputTokens),
      cacheWrite: rateAt(stepped.cacheWrite, fromInputTokens),
      cacheWrite1h: rateAt(stepped.cacheWrite1h, fromInputTokens),
      reasoning: rateAt(stepped.reasoning, fromInputTokens),
      audioInput: rateAt(stepped.audioInput, fromInputTokens),
      audioOutput: rateAt(stepped.audioOutput, fromInputTokens),
    },
  });
  return { perExchange, bands: [bandFrom(0), ...[...starts].sort((a, b) => a - b).map(bandFrom)] };
}

function rateAt(stepped: SteppedRate | undefined, inputTokens: number): number | undefined {
  if (stepped === undefined) return undefined;
  let rate = stepped.base;
  let start = -1;
  for (const step of stepped.steps) {
    if (inputTokens >= step.fromInputTokens && step.fromInputTokens > start) {
      rate = step.rate;
      start = step.fromInputTokens;
    }
  }
  return rate;
}
