import type { Usage } from '../inference/usage.ts';
import type { NumberCounter } from '../inference/usage-counters.ts';
import type { Complete, ExchangeRecord, UnknownCost } from './exchange-record.ts';
import { type FrameColumns, NO_TEXT, NO_USAGE, NUMBER, PENDING, packr } from './frame-columns.ts';

const DOUBLE_BYTES = 8;
const REFERENCE_BYTES = 2;
/** The numbers of a record in the oldest frame that may be met. */
const LEAST_NUMBERS = 21;
const LEAST_TEXTS = 11;

/** Max of each of the two generations. */
const MAX_SHARED_TEXTS = 4_096;
let young = new Map<string, string>();
let old = new Map<string, string>();

/** What of a usage is no number in a column of its own. */
export type UsageRest = Complete<Omit<Usage, NumberCounter>>;

interface Origin {
  readonly provider: string | undefined;
  readonly hasUsage: boolean;
  readonly usageSource: ExchangeRecord['usageSource'];
  readonly usageRest: UsageRest;
}

export const NO_ORIGIN: Origin = {
  provider: undefined,
  hasUsage: true,
  usageSource: undefined,
  usageRest: { rare: undefined, servedAs: undefined, providerCostUsd: undefined },
};

/** Reads the columns of one frame where they lie; texts that repeat are looked up once. */
export class ColumnReader {
  readonly ids: readonly string[];
  /** Less than NUMBERS in a frame of an older build, and less than TEXTS. */
  readonly numbersPerRecord: number;
  readonly textsPerRecord: number;
  readonly #texts: string[];
  /** By reference, once they were asked for. */
  readonly #labels: (string | undefined)[];
  readonly #origins: (Origin | undefined)[];
  readonly #unknownCosts: (UnknownCost | undefined)[] = [];
  // Read where they lie: a copy that begins at a multiple of eight would be as large as the frame.
  readonly #numbers: DataView;
  readonly #references: DataView;

  constructor(bytes: Uint8Array) {
    const { ids, texts, numbers, references }: FrameColumns = packr.unpack(bytes);
    this.ids = ids.split('\n');
    this.#texts = texts;
    this.#labels = new Array(texts.length + 1).fill(undefined);
    this.#origins = new Array(texts.length + 1).fill(undefined);
    this.#numbers = viewOf(numbers);
    this.#references = viewOf(references);
    this.numbersPerRecord = numbers.length / DOUBLE_BYTES / this.ids.length;
    this.textsPerRecord = references.length / REFERENCE_BYTES / this.ids.length;
    // Read beyond its end later, it would hold up the ledger for ever; here it is left out as one of another version.
    if (!isWidth(this.numbersPerRecord, LEAST_NUMBERS) || !isWidth(this.textsPerRecord, LEAST_TEXTS))
      throw new RangeError('the columns of this frame have not as many places as its records need');
  }

  get anyPending(): boolean {
    for (let record = 0; record < this.ids.length; record += 1)
      if ((this.number(record * this.numbersPerRecord + NUMBER.flags) & PENDING) !== 0) return true;
    return false;
  }

  number(place: number): number {
    return this.#numbers.getFloat64(place * DOUBLE_BYTES, true);
  }

  text(place: number): string | undefined {
    const reference = this.#reference(place);
    // Index -1 would be looked up as the name of a property, at ten times the cost.
    return reference === NO_TEXT ? undefined : this.#texts[reference - 1];
  }

  /** A text that repeats from frame to frame: equal ones are one object, which are compared at a glance. */
  label(place: number): string | undefined {
    const reference = this.#reference(place);
    if (reference === NO_TEXT) return undefined;
    let label = this.#labels[reference];
    if (label === undefined) {
      label = sharedText(this.#texts[reference - 1]!);
      this.#labels[reference] = label;
    }
    return label;
  }

  origin(place: number): Origin {
    const reference = this.#reference(place);
    if (reference === NO_TEXT) return NO_ORIGIN;
    let origin = this.#origins[reference];
    if (origin === undefined) {
      origin = readOrigin(this.#texts[reference - 1]!);
      this.#origins[reference] = origin;
    }
    return origin;
  }

  unknownCost(place: number): UnknownCost | undefined {
    const reference = this.#reference(place);
    if (reference === NO_TEXT) return undefined;
    let cost = this.#unknownCosts[reference];
    if (cost === undefined) {
      cost = readUnknownCost(this.#texts[reference - 1]!);
      this.#unknownCosts[reference] = cost;
    }
    return cost;
  }

  #reference(place: number): number {
    return this.#references.getUint16(place * REFERENCE_BYTES, true);
  }
}

function isWidth(places: number, least: number): boolean {
  return Number.isInteger(places) && places >= least;
}

function readOrigin(text: string): Origin {
  const [provider, source, cost, rest] = text.split('\n');
  const { rare, servedAs }: Partial<UsageRest> = rest ? JSON.parse(rest) : {};
  return {
    provider: provider ? sharedText(provider) : undefined,
    hasUsage: source !== NO_USAGE,
    usageSource: source === NO_USAGE || source === '' ? undefined : (source as ExchangeRecord['usageSource']),
    usageRest: { rare, servedAs, providerCostUsd: cost ? Number(cost) : undefined },
  };
}

function readUnknownCost(text: string): UnknownCost {
  const [part = '', atMost] = text.split('\n');
  return { part: sharedText(part), ...(atMost && { atMostNanoUsd: Number(atMost) }) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The same text as before, where there was one: each frame brings its labels as new ones, and whoever remembers something by
 * them would read them to the end to find them equal. What is asked for again survives, what is not is forgotten.
 */
function sharedText(text: string): string {
  let shared = young.get(text);
  if (shared !== undefined) return shared;
  shared = old.get(text) ?? text;
  if (young.size >= MAX_SHARED_TEXTS) {
    old = young;
    young = new Map();
  }
  young.set(shared, shared);
  return shared;
}
