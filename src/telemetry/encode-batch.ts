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
  STREAM,
  TEXT,
  TEXTS,
} from './frame-columns.ts';

/** The frame owns its ArrayBuffer exactly, so it can be transferred. */
export function encodeBatch(records: readonly ExchangeRecord[]): Uint8Array<ArrayBuffer> {
  const numbers = new Float64Array(records.length * NUMBERS);
  const references = new Uint16Array(records.length * TEXTS);
  const texts = new TextTable();
  let ids = '';
  for (let i = 0; i < records.length; i += 1) {
    const record = records[i]!;
    ids += i === 0 ? record.id : `\n${record.id}`;
    writeNumbers(record, numbers, i * NUMBERS);
    writeTexts(record, references, i * TEXTS, texts);
  }
  const frame: FrameColumns = { ids, texts: texts.list, numbers: bytesOf(numbers), references: bytesOf(references) };
  return new Uint8Array(packr.pack(frame));
}

/** Labels repeat from record to record; a frame of 512 records holds less than 65,536 different texts. */
class TextTable {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();
  /** By field, of the record before. */
  readonly #last: (string | undefined)[] = new Array(TEXTS).fill(undefined);
  readonly #lastPlace: number[] = new Array(TEXTS).fill(NO_TEXT);

  reference(field: number, text: string | undefined): number {
    // Mostly the same object as in the record before, which is seen at a glance.
    if (text === this.#last[field]) return this.#lastPlace[field]!;
    const place = this.#placeOf(text);
    this.#last[field] = text;
    this.#lastPlace[field] = place;
    return place;
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

function writeNumbers(record: ExchangeRecord, into: Float64Array, at: number): void {
  const usage = record.usage ?? NOTHING_USED;
  into[at + NUMBER.startedAt] = record.startedAt;
  into[at + NUMBER.durationMs] = record.durationMs;
  into[at + NUMBER.thread] = record.thread;
  into[at + NUMBER.status] = record.status;
  into[at + NUMBER.flags] = (record.stream ? STREAM : 0) | (record.pending ? PENDING : 0);
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
}

function originOf({ provider = '', usage, usageSource }: ExchangeRecord): string {
  if (usage === undefined) return `${provider}\n${NO_USAGE}\n`;
  const { rare, servedAs, providerCostUsd = '' } = usage;
  const text = `${provider}\n${usageSource ?? ''}\n${providerCostUsd}`;
  return rare === undefined && servedAs === undefined ? text : `${text}\n${JSON.stringify({ rare, servedAs })}`;
}

function unknownCostText({ unknownCost }: ExchangeRecord): string | undefined {
  return unknownCost && `${unknownCost.part}\n${unknownCost.atMostNanoUsd ?? ''}`;
}

function bytesOf(array: Float64Array | Uint16Array): Uint8Array {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
