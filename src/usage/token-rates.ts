import type { ServedAs } from '../inference/served-as.ts';
import { COUNTER_NAMES, type CounterName, type RareCounter, USAGE_COUNTERS } from '../inference/usage-counters.ts';

type Counters = typeof USAGE_COUNTERS;
type Whole = 'inputTokens' | 'outputTokens';
/** Counters of tokens that are input or output, or a part of it. */
type TokenCounter =
  | { [Name in CounterName]: Counters[Name] extends { partOf: string } ? Name : never }[CounterName]
  | Whole;
/** Counters of what is billed beside them. */
export type UnitCounter = Exclude<RareCounter, TokenCounter>;
export type TokenRateName = Counters[TokenCounter]['rate'];
export type UnitRateName = Counters[UnitCounter]['rate'];

/**
 * What the tokens of one exchange cost, in nano-dollars (1e-9 USD) per token. Undefined: billed with the whole that
 * the part belongs to (cache reads as input, one-hour cache writes as cache writes, reasoning as output), or, for
 * input and output themselves, not billed at all (embeddings have no output price).
 */
export type TokenRates = { [Name in TokenRateName]?: number };
/** Nano-dollars each of what is billed beside tokens. */
export type UnitRates = { [Name in UnitRateName]?: number };

export const TOKEN_RATES: readonly TokenRateName[] = COUNTER_NAMES.filter(isOfTokens).map(
  (name) => USAGE_COUNTERS[name].rate,
);
export const UNIT_COUNTERS: readonly UnitCounter[] = COUNTER_NAMES.filter(isUnit);
export const UNIT_RATES: readonly UnitRateName[] = UNIT_COUNTERS.map((name) => USAGE_COUNTERS[name].rate);

function isOfTokens(name: CounterName): name is TokenCounter {
  return name === 'inputTokens' || name === 'outputTokens' || 'partOf' in USAGE_COUNTERS[name];
}

function isUnit(name: CounterName): name is UnitCounter {
  return !isOfTokens(name);
}

/** The rates that hold for an exchange with at least this many input tokens: the whole exchange, not the excess. */
export interface RateBand {
  fromInputTokens: number;
  rates: TokenRates;
}

/** Undefined: of any size, of any quality. Both in small letters. */
export interface ImagePrice {
  readonly size: string | undefined;
  readonly quality: string | undefined;
  readonly nanoUsd: number;
}

/** Ascending by `fromInputTokens`, the first at 0. */
export interface RateTable {
  perExchange: number;
  bands: readonly [RateBand, ...RateBand[]];
  /** Absent: nothing but tokens has a rate. */
  each?: UnitRates;
  /** An image costs what the first of these says that fits its size and quality, else what `each` says. */
  images?: readonly ImagePrice[];
  /** By how much tier, speed and geography multiplied the rates of tokens: they are so already. */
  multiplier?: number;
}

/** A copy with every rate multiplied; how a discount is taken off. */
export function scaledTable(table: RateTable, factor: number): RateTable {
  const scaled = withTokenRates(table, factor);
  scaled.perExchange = cleanRate(table.perExchange * factor);
  if (table.each !== undefined) {
    scaled.each = {};
    for (const name of UNIT_RATES) scaled.each[name] = scaledRate(table.each[name], factor);
  }
  return scaled;
}

/** Requests whose counts are summed up, and priced at once: each in the band of `inputTokens`, which the sum is not. */
export interface SummedRequests {
  readonly requests: number;
  readonly inputTokens: number;
}

/** A copy with the rates of tokens multiplied, and nothing else: what tier, speed and geography do to a price. */
export function multipliedTable(table: RateTable, factor: number): RateTable {
  return { ...withTokenRates(table, factor), multiplier: cleanRate(factor) };
}

/** The band whose rates hold for one request of so many input tokens. */
export function bandOf({ bands }: RateTable, inputTokens: number | undefined): RateTable['bands'][number] {
  let band = bands[0];
  if (bands.length > 1 && inputTokens !== undefined) {
    for (const next of bands) if (inputTokens >= next.fromInputTokens) band = next;
  }
  return band;
}

/** A copy for the summed counts of several requests, each of which has as many input tokens as its rates ask for. */
export function tableForSum(table: RateTable, { requests, inputTokens }: SummedRequests): RateTable {
  const { rates } = bandOf(table, inputTokens);
  return { ...table, perExchange: table.perExchange * requests, bands: [{ fromInputTokens: 0, rates }] };
}

/** A copy with one price of an image: that of this size and quality. */
export function tableForImage({ images = [], ...table }: RateTable, { imageSize, imageQuality }: ServedAs): RateTable {
  const fits = ({ size, quality }: ImagePrice): boolean =>
    (size === undefined || size === imageSize) && (quality === undefined || quality === imageQuality);
  const outputImage = images.find(fits)?.nanoUsd;
  // Without a price that fits nobody knows what it cost: it is not free.
  return { ...table, each: outputImage === undefined ? { ...table.each } : { ...table.each, outputImage } };
}

/** A copy in which audio that has no rate of its own costs what text costs. */
export function withPlainAudio(table: RateTable): RateTable {
  const [first, ...others] = table.bands;
  const plain = ({ fromInputTokens, rates }: RateBand): RateBand => {
    const { audioInput = rates.input, audioOutput = rates.output } = rates;
    return { fromInputTokens, rates: { ...rates, audioInput, audioOutput } };
  };
  return { ...table, bands: [plain(first), ...others.map(plain)] };
}

/** A copy in which cache writes for an hour cost so many times the input, where it has no rate of theirs. */
export function withHourWrites(table: RateTable, ofInput: number): RateTable {
  const [first, ...others] = table.bands;
  const filled = ({ fromInputTokens, rates }: RateBand): RateBand => {
    const own = rates.cacheWrite === undefined ? undefined : scaledRate(rates.input, ofInput);
    return { fromInputTokens, rates: { ...rates, cacheWrite1h: rates.cacheWrite1h ?? own } };
  };
  return { ...table, bands: [filled(first), ...others.map(filled)] };
}

function withTokenRates(table: RateTable, factor: number): RateTable {
  const [first, ...others] = table.bands;
  return { ...table, bands: [scaledBand(first, factor), ...others.map((band) => scaledBand(band, factor))] };
}

function scaledBand(band: RateBand, factor: number): RateBand {
  const rates: TokenRates = {};
  for (const name of TOKEN_RATES) rates[name] = scaledRate(band.rates[name], factor);
  return { fromInputTokens: band.fromInputTokens, rates };
}

function scaledRate(rate: number | undefined, factor: number): number | undefined {
  return rate === undefined ? undefined : cleanRate(rate * factor);
}

/**
 * A rate as it would be written by hand: a product of doubles ends in digits that nobody meant (0.28 × 1000 is
 * 280.00000000000006), and receipts show rates.
 */
export function cleanRate(rate: number): number {
  return Number(rate.toPrecision(12));
}

/** One rate over the number of input tokens: a base and the steps from which another value holds. */
export interface SteppedRate {
  base: number;
  steps: readonly { fromInputTokens: number; rate: number }[];
}

export type SteppedRates = { [Name in TokenRateName]?: SteppedRate };

/** Lays the steps of all rates over one another, so that choosing a price is one comparison per band. */
export function layeredTable(stepped: SteppedRates, perExchange: number, each: UnitRates = {}): RateTable {
  const starts = new Set<number>();
  for (const rate of Object.values(stepped)) for (const step of rate?.steps ?? []) starts.add(step.fromInputTokens);
  starts.delete(0);
  const bandFrom = (fromInputTokens: number): RateBand => {
    const rates: TokenRates = {};
    for (const name of TOKEN_RATES) rates[name] = rateAt(stepped[name], fromInputTokens);
    return { fromInputTokens, rates };
  };
  const bands: RateTable['bands'] = [bandFrom(0), ...[...starts].sort((a, b) => a - b).map(bandFrom)];
  const anyUnit = Object.values(each).some((rate) => rate !== undefined);
  return { perExchange: cleanRate(perExchange), bands, ...(anyUnit && { each }) };
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
  return cleanRate(rate);
}
