import { Packr } from 'msgpackr';
import type { Usage } from '../inference/usage.ts';
import type { ExchangeRecord } from './exchange-record.ts';

/*
 * A batch as columns: all numbers in one array of doubles (NaN: unknown), every other text once per frame with 16-bit
 * references to it, ids apart. msgpack carries these four pieces. Rows of values took three times as long to encode
 * under load (bench: record-encoding). Frames also stand in the journal of the ledger and may outlive the build that wrote
 * them: fields are only ever added behind the last one, and what an older frame does not have is undefined.
 */
const packr = new Packr({ useRecords: false });

const NUMBERS = 22;
const TEXTS = 18;
/** Flags in one number. */
const STREAM = 1;
const PENDING = 2;
/** Reference 0: undefined. */
const NO_TEXT = 0;

interface Frame {
  readonly ids: string;
  readonly texts: string[];
  readonly numbers: Uint8Array;
  readonly references: Uint8Array;
}

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
  const frame: Frame = { ids, texts: texts.list, numbers: bytesOf(numbers), references: bytesOf(references) };
  return new Uint8Array(packr.pack(frame));
}

/** A frame of ours, from another thread of this process: its shape is not checked. */
export function decodeBatch(bytes: Uint8Array): ExchangeRecord[] {
  const frame: Frame = packr.unpack(bytes);
  const ids = frame.ids.split('\n');
  const numbers = new Float64Array(aligned(frame.numbers));
  const references = new Uint16Array(aligned(frame.references));
  const place: Place = {
    numbers,
    numbersPerRecord: numbers.length / ids.length,
    references,
    textsPerRecord: references.length / ids.length,
    texts: frame.texts,
  };
  return ids.map((id, i) => readRecord(id, place, i * place.numbersPerRecord, i * place.textsPerRecord));
}

/** Where the fields of decoded records stand. */
interface Place {
  readonly numbers: Float64Array;
  /** Less than NUMBERS in a frame of an older build. */
  readonly numbersPerRecord: number;
  readonly references: Uint16Array;
  readonly textsPerRecord: number;
  readonly texts: readonly string[];
}

/** Labels repeat from record to record; a frame of 512 records holds less than 65,536 different texts. */
class TextTable {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  reference(text: string | undefined): number {
    if (text === undefined) return NO_TEXT;
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text);
      this.#places.set(text, place);
    }
    return place;
  }
}

const NO_USAGE: Usage = {};

function writeNumbers(record: ExchangeRecord, into: Float64Array, at: number): void {
  const usage = record.usage ?? NO_USAGE;
  into[at] = record.startedAt;
  into[at + 1] = record.durationMs;
  into[at + 2] = record.thread;
  into[at + 3] = record.status;
  into[at + 4] = (record.stream ? STREAM : 0) | (record.pending ? PENDING : 0);
  into[at + 5] = record.attempts;
  into[at + 6] = record.costNanoUsd ?? Number.NaN;
  into[at + 7] = record.overheadMs;
  into[at + 8] = record.upstreamMs;
  into[at + 9] = record.firstTokenMs ?? Number.NaN;
  into[at + 10] = record.interTokenMs ?? Number.NaN;
  into[at + 11] = record.bytesIn;
  into[at + 12] = record.bytesOut;
  into[at + 13] = usage.inputTokens ?? Number.NaN;
  into[at + 14] = usage.outputTokens ?? Number.NaN;
  into[at + 15] = usage.cacheReadInputTokens ?? Number.NaN;
  into[at + 16] = usage.cacheCreationInputTokens ?? Number.NaN;
  into[at + 17] = usage.cacheCreation1hInputTokens ?? Number.NaN;
  into[at + 18] = usage.reasoningOutputTokens ?? Number.NaN;
  into[at + 19] = usage.audioInputTokens ?? Number.NaN;
  into[at + 20] = usage.audioOutputTokens ?? Number.NaN;
  into[at + 21] = record.reservedNanoUsd ?? Number.NaN;
}

function writeTexts(record: ExchangeRecord, into: Uint16Array, at: number, texts: TextTable): void {
  // Mostly the id again: then it is not written twice.
  into[at] = record.requestId === record.id ? NO_TEXT : texts.reference(record.requestId);
  into[at + 1] = texts.reference(record.method);
  into[at + 2] = texts.reference(record.path);
  into[at + 3] = texts.reference(record.outcome);
  into[at + 4] = texts.reference(record.errorCode);
  into[at + 5] = texts.reference(record.errorDetail);
  into[at + 6] = texts.reference(record.subject);
  into[at + 7] = texts.reference(record.keyId);
  into[at + 8] = texts.reference(record.model);
  into[at + 9] = texts.reference(record.target);
  into[at + 10] = texts.reference(labelsOf(record));
  into[at + 11] = texts.reference(record.teamsJson);
  into[at + 12] = texts.reference(record.metadataJson);
  into[at + 13] = texts.reference(record.rulesJson);
  into[at + 14] = texts.reference(record.chargesJson);
  into[at + 15] = texts.reference(record.attemptsJson);
  into[at + 16] = texts.reference(record.priceVersion);
  into[at + 17] = texts.reference(record.priceTable);
}

/** Provider, source of the usage and the provider's own cost: few combinations, one reference. */
function labelsOf(record: ExchangeRecord): string {
  const cost = record.usage?.providerCostUsd;
  const usage = record.usage === undefined ? '-' : (record.usageSource ?? '');
  return `${record.provider ?? ''}\n${usage}\n${cost ?? ''}`;
}

/** A field that is added to the record and forgotten here does not compile. */
type Complete<T> = { [Field in keyof Required<T>]: T[Field] };

function readRecord(id: string, place: Place, n: number, t: number): ExchangeRecord {
  const { numbers, numbersPerRecord, references, textsPerRecord, texts } = place;
  const text = (field: number): string | undefined =>
    field < textsPerRecord ? texts[references[t + field]! - 1] : undefined;
  const number = (field: number): number | undefined => {
    if (field >= numbersPerRecord) return undefined;
    const value = numbers[n + field]!;
    return Number.isNaN(value) ? undefined : value;
  };
  const [provider, source, cost] = (text(10) ?? '').split('\n');
  return {
    id,
    requestId: text(0) ?? id,
    startedAt: numbers[n]!,
    durationMs: numbers[n + 1]!,
    thread: numbers[n + 2]!,
    method: text(1) ?? '',
    path: text(2) ?? '',
    status: numbers[n + 3]!,
    outcome: text(3) as ExchangeRecord['outcome'],
    errorCode: text(4),
    errorDetail: text(5),
    subject: text(6),
    keyId: text(7),
    model: text(8),
    target: text(9),
    provider: provider || undefined,
    stream: (numbers[n + 4]! & STREAM) !== 0,
    pending: (numbers[n + 4]! & PENDING) !== 0 ? true : undefined,
    attempts: numbers[n + 5]!,
    usage:
      source === '-'
        ? undefined
        : ({
            inputTokens: number(13),
            outputTokens: number(14),
            cacheReadInputTokens: number(15),
            cacheCreationInputTokens: number(16),
            cacheCreation1hInputTokens: number(17),
            reasoningOutputTokens: number(18),
            audioInputTokens: number(19),
            audioOutputTokens: number(20),
            providerCostUsd: cost ? Number(cost) : undefined,
          } satisfies Complete<Usage>),
    usageSource: source === '-' || source === '' ? undefined : (source as ExchangeRecord['usageSource']),
    costNanoUsd: number(6),
    overheadMs: numbers[n + 7]!,
    upstreamMs: numbers[n + 8]!,
    firstTokenMs: number(9),
    interTokenMs: number(10),
    bytesIn: numbers[n + 11]!,
    bytesOut: numbers[n + 12]!,
    teamsJson: text(11),
    metadataJson: text(12),
    rulesJson: text(13),
    chargesJson: text(14),
    attemptsJson: text(15),
    priceVersion: text(16),
    reservedNanoUsd: number(21),
    priceTable: text(17),
  } satisfies Complete<ExchangeRecord>;
}

function bytesOf(array: Float64Array | Uint16Array): Uint8Array {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

/** Typed arrays of wider numbers may begin only at multiples of their size: copied. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
