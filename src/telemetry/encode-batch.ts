import type { Usage } from '../inference/usage.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import {
  type FrameColumns,
  NO_TEXT,
  NO_USAGE,
  NUMBER,
  NUMBERS,
  PENDING,
  packr,
  SAME_TEXTS,
  STREAM,
  TEXT,
  TEXTS,
} from './frame-columns.ts';

/** All of them as one frame, which owns its ArrayBuffer exactly, so it can be transferred. */
export function encodeBatch(records: readonly ExchangeRecord[]): Uint8Array<ArrayBuffer> {
  const encoder = new FrameEncoder();
  for (const record of records) encoder.add(record);
  return encoder.take();
}

const FIRST_ROOM = 64;

/** Takes records one by one, each into its place in the columns at once: nobody keeps the object until the frame is full. */
export class FrameEncoder {
  #numbers = new Float64Array(FIRST_ROOM * NUMBERS);
  #references = new Uint16Array(FIRST_ROOM * TEXTS);
  readonly #texts = new TextTable();
  #ids = '';
  #count = 0;
  #room = FIRST_ROOM;

  /** Records since the last frame. */
  get count(): number {
    return this.#count;
  }

  add(record: ExchangeRecord): void {
    if (this.#count === this.#room) this.#grow();
    const index = this.#count;
    this.#count += 1;
    this.#ids += index === 0 ? record.id : `\n${record.id}`;
    const at = index * TEXTS;
    const isSame =
      index > 0 && this.#references[at - TEXTS + TEXT.requestId] === NO_TEXT && sameTexts(record, this.#texts.before);
    writeNumbers(record, this.#numbers, index * NUMBERS, isSame ? SAME_TEXTS : 0);
    if (isSame) this.#references.copyWithin(at, at - TEXTS, at);
    else writeTexts(record, this.#references, at, this.#texts);
  }

  /** A frame of all records since the last one; it owns its ArrayBuffer exactly, so it can be transferred. */
  take(): Uint8Array<ArrayBuffer> {
    const frame: FrameColumns = {
      ids: this.#ids,
      texts: this.#texts.list,
      numbers: bytesOf(this.#numbers, this.#count * NUMBERS),
      references: bytesOf(this.#references, this.#count * TEXTS),
    };
    const bytes = new Uint8Array(packr.pack(frame));
    this.#texts.clear();
    this.#ids = '';
    this.#count = 0;
    return bytes;
  }

  #grow(): void {
    this.#room *= 2;
    const numbers = new Float64Array(2 * this.#numbers.length);
    numbers.set(this.#numbers);
    const references = new Uint16Array(2 * this.#references.length);
    references.set(this.#references);
    this.#numbers = numbers;
    this.#references = references;
  }
}

/** Labels repeat from record to record; a frame of 512 records holds less than 65,536 different texts. */
class TextTable {
  list: string[] = [];
  readonly #places = new Map<string, number>();
  /** By field, of the record before. */
  readonly before: (string | undefined)[] = new Array(TEXTS).fill(undefined);
  readonly #lastPlace: number[] = new Array(TEXTS).fill(NO_TEXT);

  reference(field: number, text: string | undefined): number {
    // Mostly the same object as in the record before, which is seen at a glance.
    if (text === this.before[field]) return this.#lastPlace[field]!;
    const place = this.#placeOf(text);
    this.before[field] = text;
    this.#lastPlace[field] = place;
    return place;
  }

  clear(): void {
    this.list = [];
    this.#places.clear();
    this.before.fill(undefined);
    this.#lastPlace.fill(NO_TEXT);
  }

  #placeOf(text: string | undefined): number {
    if (text === undefined) return NO_TEXT;
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text);
      this.#places.set(text, place);
    }
    return place;
  }
}

const NOTHING_USED: Usage = {};

function writeNumbers(record: ExchangeRecord, into: Float64Array, at: number, flags: number): void {
  const usage = record.usage ?? NOTHING_USED;
  into[at + NUMBER.startedAt] = record.startedAt;
  into[at + NUMBER.durationMs] = record.durationMs;
  into[at + NUMBER.thread] = record.thread;
  into[at + NUMBER.status] = record.status;
  into[at + NUMBER.flags] = flags | (record.stream ? STREAM : 0) | (record.pending ? PENDING : 0);
  into[at + NUMBER.attempts] = record.attempts;
  into[at + NUMBER.costNanoUsd] = record.costNanoUsd ?? Number.NaN;
  into[at + NUMBER.overheadMs] = record.overheadMs;
  into[at + NUMBER.upstreamMs] = record.upstreamMs;
  into[at + NUMBER.firstTokenMs] = record.firstTokenMs ?? Number.NaN;
  into[at + NUMBER.interTokenMs] = record.interTokenMs ?? Number.NaN;
  into[at + NUMBER.bytesIn] = record.bytesIn;
  into[at + NUMBER.bytesOut] = record.bytesOut;
  into[at + NUMBER.inputTokens] = usage.inputTokens ?? Number.NaN;
  into[at + NUMBER.outputTokens] = usage.outputTokens ?? Number.NaN;
  into[at + NUMBER.cacheReadInputTokens] = usage.cacheReadInputTokens ?? Number.NaN;
  into[at + NUMBER.cacheCreationInputTokens] = usage.cacheCreationInputTokens ?? Number.NaN;
  into[at + NUMBER.cacheCreation1hInputTokens] = usage.cacheCreation1hInputTokens ?? Number.NaN;
  into[at + NUMBER.reasoningOutputTokens] = usage.reasoningOutputTokens ?? Number.NaN;
  into[at + NUMBER.audioInputTokens] = usage.audioInputTokens ?? Number.NaN;
  into[at + NUMBER.audioOutputTokens] = usage.audioOutputTokens ?? Number.NaN;
  into[at + NUMBER.reservedNanoUsd] = record.reservedNanoUsd ?? Number.NaN;
}

function writeTexts(record: ExchangeRecord, into: Uint16Array, at: number, texts: TextTable): void {
  // Mostly the id again: then it is not written twice.
  into[at + TEXT.requestId] =
    record.requestId === record.id ? NO_TEXT : texts.reference(TEXT.requestId, record.requestId);
  into[at + TEXT.method] = texts.reference(TEXT.method, record.method);
  into[at + TEXT.path] = texts.reference(TEXT.path, record.path);
  into[at + TEXT.outcome] = texts.reference(TEXT.outcome, record.outcome);
  into[at + TEXT.errorCode] = texts.reference(TEXT.errorCode, record.errorCode);
  into[at + TEXT.errorDetail] = texts.reference(TEXT.errorDetail, record.errorDetail);
  into[at + TEXT.subject] = texts.reference(TEXT.subject, record.subject);
  into[at + TEXT.keyId] = texts.reference(TEXT.keyId, record.keyId);
  into[at + TEXT.model] = texts.reference(TEXT.model, record.model);
  into[at + TEXT.target] = texts.reference(TEXT.target, record.target);
  into[at + TEXT.origin] = texts.reference(TEXT.origin, originOf(record));
  into[at + TEXT.teamsJson] = texts.reference(TEXT.teamsJson, record.teamsJson);
  into[at + TEXT.metadataJson] = texts.reference(TEXT.metadataJson, record.metadataJson);
  into[at + TEXT.rulesJson] = texts.reference(TEXT.rulesJson, record.rulesJson);
  into[at + TEXT.chargesJson] = texts.reference(TEXT.chargesJson, record.chargesJson);
  into[at + TEXT.attemptsJson] = texts.reference(TEXT.attemptsJson, record.attemptsJson);
  into[at + TEXT.priceVersion] = texts.reference(TEXT.priceVersion, record.priceVersion);
  into[at + TEXT.priceTable] = texts.reference(TEXT.priceTable, record.priceTable);
  into[at + TEXT.unknownCost] = texts.reference(TEXT.unknownCost, unknownCostText(record));
  into[at + TEXT.clientJson] = texts.reference(TEXT.clientJson, record.clientJson);
  into[at + TEXT.traceparent] = texts.reference(TEXT.traceparent, record.traceparent);
  into[at + TEXT.guardrailsJson] = texts.reference(TEXT.guardrailsJson, record.guardrailsJson);
  into[at + TEXT.cacheJson] = texts.reference(TEXT.cacheJson, record.cacheJson);
}

/** All that `writeTexts` writes; `before`: by field. Those that differ most often are first. */
function sameTexts(record: ExchangeRecord, before: readonly (string | undefined)[]): boolean {
  return (
    record.requestId === record.id &&
    record.model === before[TEXT.model] &&
    record.target === before[TEXT.target] &&
    record.subject === before[TEXT.subject] &&
    record.keyId === before[TEXT.keyId] &&
    record.outcome === before[TEXT.outcome] &&
    record.errorCode === before[TEXT.errorCode] &&
    record.errorDetail === before[TEXT.errorDetail] &&
    record.path === before[TEXT.path] &&
    record.method === before[TEXT.method] &&
    originOf(record) === before[TEXT.origin] &&
    record.teamsJson === before[TEXT.teamsJson] &&
    record.metadataJson === before[TEXT.metadataJson] &&
    record.rulesJson === before[TEXT.rulesJson] &&
    record.chargesJson === before[TEXT.chargesJson] &&
    record.attemptsJson === before[TEXT.attemptsJson] &&
    record.priceVersion === before[TEXT.priceVersion] &&
    record.priceTable === before[TEXT.priceTable] &&
    unknownCostText(record) === before[TEXT.unknownCost] &&
    record.clientJson === before[TEXT.clientJson] &&
    record.traceparent === before[TEXT.traceparent] &&
    record.guardrailsJson === before[TEXT.guardrailsJson] &&
    record.cacheJson === before[TEXT.cacheJson]
  );
}

/** The latest origin that told nothing special: the next record mostly has the same provider, and tells nothing either. */
let plainProvider: string | undefined;
let plainSource: string | undefined;
let plainText = '';

function originOf({ provider = '', usage, usageSource }: ExchangeRecord): string {
  if (usage === undefined) return `${provider}\n${NO_USAGE}\n`;
  const { rare, servedAs, providerCostUsd } = usage;
  if (rare === undefined && servedAs === undefined && providerCostUsd === undefined) {
    if (provider !== plainProvider || usageSource !== plainSource) {
      plainProvider = provider;
      plainSource = usageSource;
      plainText = `${provider}\n${usageSource ?? ''}\n`;
    }
    return plainText;
  }
  const text = `${provider}\n${usageSource ?? ''}\n${providerCostUsd ?? ''}`;
  return rare === undefined && servedAs === undefined ? text : `${text}\n${JSON.stringify({ rare, servedAs })}`;
}

function unknownCostText({ unknownCost }: ExchangeRecord): string | undefined {
  return unknownCost && `${unknownCost.part}\n${unknownCost.atMostNanoUsd ?? ''}`;
}

function bytesOf(array: Float64Array | Uint16Array, length: number): Uint8Array {
  return Buffer.from(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT);
}
