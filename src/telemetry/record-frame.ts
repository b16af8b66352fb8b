import type { Usage } from '../inference/usage.ts';
import type { NumberCounter } from '../inference/usage-counters.ts';
import {
  type Complete,
  type ExchangeRecord,
  keptRecord,
  type RecordView,
  type UnknownCost,
} from './exchange-record.ts';
import { type FrameColumns, NO_TEXT, NO_USAGE, NUMBER, PENDING, packr, STREAM, TEXT } from './frame-columns.ts';
import { sharedText } from './shared-texts.ts';

/**
 * A batch of records as a relay thread sent or journalled it. Records are read from its columns while they are looked at:
 * an object for each cost 0.8 KB of garbage and half a microsecond, twice an exchange (bench: record-encoding).
 */
export class RecordFrame implements Iterable<RecordView> {
  /** As they came. */
  readonly bytes: Uint8Array;
  readonly #columns: Columns;

  /** Throws where it is no frame. A frame of ours is not checked further. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#columns = new Columns(bytes);
  }

  get length(): number {
    return this.#columns.ids.length;
  }

  /** A provisional record is among them. */
  get anyPending(): boolean {
    return this.#columns.anyPending;
  }

  /** One view that goes from record to record: `keptRecord` for whoever keeps one. */
  [Symbol.iterator](): Iterator<RecordView> {
    const { length } = this;
    const record = new FrameRecord(this.#columns);
    const step = { done: false, value: record };
    let index = 0;
    return {
      next() {
        if (index >= length) return OVER;
        record.moveTo(index);
        index += 1;
        return step;
      },
    };
  }

  /** Each a record of its own. */
  records(): ExchangeRecord[] {
    return Array.from(this, keptRecord);
  }
}

const OVER = { done: true, value: undefined } as const;
const DOUBLE_BYTES = 8;
const REFERENCE_BYTES = 2;
/** Of a record in the oldest frame that may be met. */
const LEAST_NUMBERS = 21;
const LEAST_TEXTS = 11;

/** What of a usage is no number in a column of its own. */
type UsageRest = Complete<Omit<Usage, NumberCounter>>;

interface Origin {
  readonly provider: string | undefined;
  readonly hasUsage: boolean;
  readonly usageSource: ExchangeRecord['usageSource'];
  readonly usageRest: UsageRest;
}

const NO_ORIGIN: Origin = {
  provider: undefined,
  hasUsage: true,
  usageSource: undefined,
  usageRest: { rare: undefined, servedAs: undefined, providerCostUsd: undefined },
};

class Columns {
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

/** The records of a frame, one after the other. */
class FrameRecord implements Complete<RecordView> {
  readonly fleeting = true;
  readonly #columns: Columns;
  readonly #usage: FrameUsage;
  #index = 0;
  /** Where its numbers and its references begin. */
  #n = 0;
  #t = 0;

  constructor(columns: Columns) {
    this.#columns = columns;
    this.#usage = new FrameUsage(columns);
  }

  moveTo(index: number): void {
    this.#index = index;
    this.#n = index * this.#columns.numbersPerRecord;
    this.#t = index * this.#columns.textsPerRecord;
  }

  get id(): string {
    return this.#columns.ids[this.#index]!;
  }
  get requestId(): string {
    return this.#columns.text(this.#t + TEXT.requestId) ?? this.id;
  }
  get startedAt(): number {
    return this.#columns.number(this.#n + NUMBER.startedAt);
  }
  get durationMs(): number {
    return this.#columns.number(this.#n + NUMBER.durationMs);
  }
  get thread(): number {
    return this.#columns.number(this.#n + NUMBER.thread);
  }
  get method(): string {
    return this.#label(TEXT.method) ?? '';
  }
  get path(): string {
    return this.#label(TEXT.path) ?? '';
  }
  get status(): number {
    return this.#columns.number(this.#n + NUMBER.status);
  }
  get outcome(): ExchangeRecord['outcome'] {
    return this.#label(TEXT.outcome) as ExchangeRecord['outcome'];
  }
  get errorCode(): string | undefined {
    return this.#label(TEXT.errorCode);
  }
  get errorDetail(): string | undefined {
    return this.#text(TEXT.errorDetail);
  }
  get subject(): string | undefined {
    return this.#label(TEXT.subject);
  }
  get keyId(): string | undefined {
    return this.#label(TEXT.keyId);
  }
  get model(): string | undefined {
    return this.#label(TEXT.model);
  }
  get target(): string | undefined {
    return this.#label(TEXT.target);
  }
  get provider(): string | undefined {
    return this.#columns.origin(this.#t + TEXT.origin).provider;
  }
  get stream(): boolean {
    return (this.#columns.number(this.#n + NUMBER.flags) & STREAM) !== 0;
  }
  get pending(): true | undefined {
    return (this.#columns.number(this.#n + NUMBER.flags) & PENDING) !== 0 ? true : undefined;
  }
  get attempts(): number {
    return this.#columns.number(this.#n + NUMBER.attempts);
  }
  get usage(): Readonly<Usage> | undefined {
    const origin = this.#columns.origin(this.#t + TEXT.origin);
    if (!origin.hasUsage) return undefined;
    this.#usage.moveTo(this.#n, origin.usageRest);
    return this.#usage;
  }
  get usageSource(): ExchangeRecord['usageSource'] {
    return this.#columns.origin(this.#t + TEXT.origin).usageSource;
  }
  get costNanoUsd(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.costNanoUsd));
  }
  get unknownCost(): UnknownCost | undefined {
    if (TEXT.unknownCost >= this.#columns.textsPerRecord) return undefined;
    return this.#columns.unknownCost(this.#t + TEXT.unknownCost);
  }
  get overheadMs(): number {
    return this.#columns.number(this.#n + NUMBER.overheadMs);
  }
  get upstreamMs(): number {
    return this.#columns.number(this.#n + NUMBER.upstreamMs);
  }
  get firstTokenMs(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.firstTokenMs));
  }
  get interTokenMs(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.interTokenMs));
  }
  get bytesIn(): number {
    return this.#columns.number(this.#n + NUMBER.bytesIn);
  }
  get bytesOut(): number {
    return this.#columns.number(this.#n + NUMBER.bytesOut);
  }
  get teamsJson(): string | undefined {
    return this.#label(TEXT.teamsJson);
  }
  get metadataJson(): string | undefined {
    return this.#label(TEXT.metadataJson);
  }
  get rulesJson(): string | undefined {
    return this.#label(TEXT.rulesJson);
  }
  get chargesJson(): string | undefined {
    return this.#label(TEXT.chargesJson);
  }
  get attemptsJson(): string | undefined {
    return this.#text(TEXT.attemptsJson);
  }
  get priceVersion(): string | undefined {
    return this.#label(TEXT.priceVersion);
  }
  get priceTable(): string | undefined {
    return this.#label(TEXT.priceTable);
  }
  get clientJson(): string | undefined {
    return this.#text(TEXT.clientJson);
  }
  get traceparent(): string | undefined {
    return this.#text(TEXT.traceparent);
  }
  get guardrailsJson(): string | undefined {
    return this.#text(TEXT.guardrailsJson);
  }
  get cacheJson(): string | undefined {
    return this.#label(TEXT.cacheJson);
  }
  get reservedNanoUsd(): number | undefined {
    if (NUMBER.reservedNanoUsd >= this.#columns.numbersPerRecord) return undefined;
    return known(this.#columns.number(this.#n + NUMBER.reservedNanoUsd));
  }

  #text(field: number): string | undefined {
    return field < this.#columns.textsPerRecord ? this.#columns.text(this.#t + field) : undefined;
  }

  #label(field: number): string | undefined {
    return field < this.#columns.textsPerRecord ? this.#columns.label(this.#t + field) : undefined;
  }
}

class FrameUsage implements Complete<Readonly<Usage>> {
  readonly #columns: Columns;
  #n = 0;
  #rest: UsageRest = NO_ORIGIN.usageRest;

  constructor(columns: Columns) {
    this.#columns = columns;
  }

  moveTo(n: number, rest: UsageRest): void {
    this.#n = n;
    this.#rest = rest;
  }

  get inputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.inputTokens));
  }
  get outputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.outputTokens));
  }
  get cacheReadInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheReadInputTokens));
  }
  get cacheCreationInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheCreationInputTokens));
  }
  get cacheCreation1hInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheCreation1hInputTokens));
  }
  get reasoningOutputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.reasoningOutputTokens));
  }
  get audioInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.audioInputTokens));
  }
  get audioOutputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.audioOutputTokens));
  }
  get rare(): Usage['rare'] {
    return this.#rest.rare;
  }
  get servedAs(): Usage['servedAs'] {
    return this.#rest.servedAs;
  }
  get providerCostUsd(): number | undefined {
    return this.#rest.providerCostUsd;
  }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
