import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { NumberColumn, NumberReader } from '../codec/number-column.ts';

/*
 * The exchanges of one row of ledger_frames, column by column, compressed: one byte that says which form it is, then zstd
 * over sections, each behind its length. The sections are: stems of ids, hashes of labels and details as texts, then each
 * column of numbers. Its hash is over these bytes, so a form is read for ever; another one gets another first byte.
 */
const FORM = 1;
/** Beyond it a frame is begun anew: a receipt reads one whole. */
export const MAX_FRAME_ROWS = 4_096;
/** More is no frame but rubbish. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** At level 1 it takes twice as long and saves a tenth; at 3 it takes five times as long. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: -1 } };

/** Times in microseconds; undefined: unknown. */
export type RowNumbers = {
  readonly [Name in (typeof PLAIN_NUMBERS)[number] | 'duration_us' | 'upstream_us']: number | undefined;
};

/** One exchange as the ledger keeps it. Times are milliseconds since the Unix epoch, money is integer nano-dollars. */
export interface LedgerRow {
  readonly id: string;
  /** The labels of a row: see ledger_labels. */
  readonly labels: string;
  readonly started_at: number;
  readonly ended_at: number;
  readonly status: number;
  /** Undefined: nobody knows, which is not zero. */
  readonly input_tokens: number | undefined;
  readonly output_tokens: number | undefined;
  readonly cost_nano_usd: number | undefined;
  /** Times, bytes and kinds of tokens. */
  readonly numbers: RowNumbers;
  /** JSON object of what is seldom there (ledger/row-detail.ts). */
  readonly detail: string | undefined;
}

/** Numbers that are written as they are, in this order and for ever. The others lean on what stands before them. */
const PLAIN_NUMBERS = [
  'thread',
  'attempts',
  'overhead_us',
  'first_token_us',
  'between_tokens_us',
  'bytes_in',
  'bytes_out',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'reasoning_output_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'provider_cost_usd',
  'reserved_nano_usd',
] as const;

const COLUMNS = [
  'stem',
  'count',
  'labels',
  'started',
  'duration',
  'ended',
  'status',
  'input',
  'output',
  'cost',
  'upstream',
  'detail',
  ...PLAIN_NUMBERS,
] as const;

type Column = (typeof COLUMNS)[number];

/** The last six characters of an id of ours count the exchanges of its thread (core/ids.ts). */
const COUNT_CHARACTERS = 6;
const ZERO = 0x30;
const LETTER_A = 0x61;

/** Texts of a frame, each once. */
class Texts {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();
  #last = '';
  #lastPlace = -1;

  place(text: string): number {
    // Mostly the one before.
    if (text === this.#last && this.#lastPlace >= 0) return this.#lastPlace;
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text) - 1;
      this.#places.set(text, place);
    }
    this.#last = text;
    this.#lastPlace = place;
    return place;
  }
}

/** Takes exchanges one by one and gives one frame. */
export class FrameBuilder {
  rows = 0;
  /** When the first and the last of them ended. */
  endedFrom = Number.POSITIVE_INFINITY;
  endedTo = 0;
  readonly ids: string[] = [];
  readonly #stems = new Texts();
  readonly #lastCounts: number[] = [];
  readonly #labels = new Texts();
  readonly #details: string[] = [];
  readonly #columns = Object.fromEntries(COLUMNS.map((name) => [name, new NumberColumn()])) as Record<
    Column,
    NumberColumn
  >;
  #lastStarted = 0;

  /** Throws a TypeError where the row is none. */
  add(row: LedgerRow): void {
    const { started_at, ended_at, status, numbers } = row;
    if (!(Number.isSafeInteger(status) && Number.isSafeInteger(started_at) && Number.isSafeInteger(ended_at)))
      throw new TypeError(`exchange ${row.id} has a status or times that are no whole numbers`);
    const columns = this.#columns;
    this.#addId(row.id);
    columns.labels.add(this.#labels.place(row.labels));
    columns.started.addSigned(started_at - this.#lastStarted);
    this.#lastStarted = started_at;
    const { duration_us, overhead_us, upstream_us } = numbers;
    columns.duration.add(duration_us);
    columns.ended.addSigned(ended_at - started_at - Math.floor((duration_us ?? 0) / 1000));
    columns.status.add(status);
    columns.input.add(row.input_tokens);
    columns.output.add(row.output_tokens);
    columns.cost.add(row.cost_nano_usd);
    // The time that is neither ours nor the provider's is the wait for the client's body: mostly little.
    if (upstream_us === undefined) columns.upstream.add(undefined);
    else columns.upstream.addSigned((duration_us ?? 0) - (overhead_us ?? 0) - upstream_us);
    columns.thread.add(numbers.thread);
    columns.attempts.add(numbers.attempts);
    columns.overhead_us.add(overhead_us);
    columns.first_token_us.add(numbers.first_token_us);
    columns.between_tokens_us.add(numbers.between_tokens_us);
    columns.bytes_in.add(numbers.bytes_in);
    columns.bytes_out.add(numbers.bytes_out);
    columns.cache_read_input_tokens.add(numbers.cache_read_input_tokens);
    columns.cache_creation_input_tokens.add(numbers.cache_creation_input_tokens);
    columns.cache_creation_1h_input_tokens.add(numbers.cache_creation_1h_input_tokens);
    columns.reasoning_output_tokens.add(numbers.reasoning_output_tokens);
    columns.audio_input_tokens.add(numbers.audio_input_tokens);
    columns.audio_output_tokens.add(numbers.audio_output_tokens);
    columns.provider_cost_usd.add(numbers.provider_cost_usd);
    columns.reserved_nano_usd.add(numbers.reserved_nano_usd);
    columns.detail.add(row.detail === undefined ? undefined : this.#details.push(row.detail));
    this.rows += 1;
    this.endedFrom = Math.min(this.endedFrom, ended_at);
    this.endedTo = Math.max(this.endedTo, ended_at);
    this.ids.push(row.id);
  }

  data(): Buffer {
    const sections = [
      Buffer.from(this.#stems.list.join('\n')),
      Buffer.from(this.#labels.list.join('\n')),
      Buffer.from(JSON.stringify(this.#details)),
      ...COLUMNS.map((name) => this.#columns[name].taken()),
    ];
    const lengths = new NumberColumn();
    lengths.add(this.rows);
    for (const { length } of sections) lengths.add(length);
    const plain = Buffer.concat([lengths.taken(), ...sections]);
    return Buffer.concat([Buffer.of(FORM, 1 + COLUMNS.length + 3), zstdCompressSync(plain, ZSTD)]);
  }

  #addId(id: string): void {
    const { stem, count } = this.#columns;
    const number = countOf(id);
    if (number === undefined) {
      stem.add(this.#stems.place(id));
      count.add(undefined);
      return;
    }
    const place = this.#stems.place(id.slice(0, -COUNT_CHARACTERS));
    const before = this.#lastCounts[place] ?? 0;
    this.#lastCounts[place] = number;
    stem.add(place);
    count.addSigned(number - before);
  }
}

/** What the end of an id counts; undefined: it is none of ours. Digit by digit, since every exchange is asked for it. */
function countOf(id: string): number | undefined {
  const from = id.length - COUNT_CHARACTERS;
  if (from <= 0 || id.charCodeAt(from) === ZERO) return undefined;
  let count = 0;
  for (let at = from; at < id.length; at += 1) {
    const code = id.charCodeAt(at);
    if (code >= ZERO && code < ZERO + 10) count = count * 36 + code - ZERO;
    else if (code >= LETTER_A && code < LETTER_A + 26) count = count * 36 + code - LETTER_A + 10;
    else return undefined;
  }
  return count;
}

export interface OpenFrame {
  /** Hashes of all labels in it, each once. */
  readonly labels: readonly string[];
  /** Once. */
  rows(): LedgerRow[];
}

/** All exchanges of a frame. Throws where the bytes are none of a form that this version knows. */
export function readFrameRows(data: Uint8Array): LedgerRow[] {
  return openFrame(data).rows();
}

/** The same for whoever may be content with its labels: rows are four fifths of the work. */
export function openFrame(data: Uint8Array): OpenFrame {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes[0] !== FORM) throw new RangeError(`a frame of the unknown form ${bytes[0]}`);
  const plain = zstdDecompressSync(bytes.subarray(2), { maxOutputLength: MAX_FRAME_BYTES });
  const sections = new Sections(plain, bytes[1]!);
  const stems = sections.next().toString().split('\n');
  const labels = sections.next().toString().split('\n');
  return { labels, rows: () => rowsOf(sections, stems, labels) };
}

function rowsOf(sections: Sections, stems: readonly string[], labels: readonly string[]): LedgerRow[] {
  const details: string[] = JSON.parse(sections.next().toString());
  const columns = Object.fromEntries(COLUMNS.map((name) => [name, new NumberReader(sections.next())])) as Record<
    Column,
    NumberReader
  >;
  const lastCounts: number[] = [];
  const rows: LedgerRow[] = [];
  let started_at = 0;
  for (let index = 0; index < sections.rows; index += 1) {
    const stem = columns.stem.known();
    let id = stems[stem] ?? '';
    const change = readChange(columns.count);
    if (change !== undefined) {
      const count = (lastCounts[stem] ?? 0) + change;
      lastCounts[stem] = count;
      id += count.toString(36);
    }
    started_at += columns.started.signed();
    const duration_us = columns.duration.next();
    const ended_at = started_at + Math.floor((duration_us ?? 0) / 1000) + columns.ended.signed();
    const rest = readChange(columns.upstream);
    const overhead_us = columns.overhead_us.next();
    const upstream_us = rest === undefined ? undefined : (duration_us ?? 0) - (overhead_us ?? 0) - rest;
    // One by one: put together by a loop over the names it takes three times as long.
    const numbers: RowNumbers = {
      duration_us,
      overhead_us,
      upstream_us,
      thread: columns.thread.next(),
      attempts: columns.attempts.next(),
      first_token_us: columns.first_token_us.next(),
      between_tokens_us: columns.between_tokens_us.next(),
      bytes_in: columns.bytes_in.next(),
      bytes_out: columns.bytes_out.next(),
      cache_read_input_tokens: columns.cache_read_input_tokens.next(),
      cache_creation_input_tokens: columns.cache_creation_input_tokens.next(),
      cache_creation_1h_input_tokens: columns.cache_creation_1h_input_tokens.next(),
      reasoning_output_tokens: columns.reasoning_output_tokens.next(),
      audio_input_tokens: columns.audio_input_tokens.next(),
      audio_output_tokens: columns.audio_output_tokens.next(),
      provider_cost_usd: columns.provider_cost_usd.next(),
      reserved_nano_usd: columns.reserved_nano_usd.next(),
    };
    const detail = columns.detail.next();
    rows.push({
      id,
      labels: labels[columns.labels.known()] ?? '',
      started_at,
      ended_at,
      status: columns.status.known(),
      input_tokens: columns.input.next(),
      output_tokens: columns.output.next(),
      cost_nano_usd: columns.cost.next(),
      numbers,
      detail: detail === undefined ? undefined : details[detail - 1],
    });
  }
  return rows;
}

/** As `addSigned` wrote it; undefined where it was unknown. */
function readChange(column: NumberReader): number | undefined {
  const value = column.next();
  if (value === undefined) return undefined;
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

/** The parts of a frame in their order. A later form of this version may have further ones behind those that are known. */
class Sections {
  readonly rows: number;
  readonly #bytes: Buffer;
  readonly #lengths: number[] = [];
  #at: number;

  constructor(bytes: Buffer, count: number) {
    this.#bytes = bytes;
    const reader = new NumberReader(bytes);
    this.rows = reader.known();
    while (this.#lengths.length < count - 1) this.#lengths.push(reader.known());
    this.#at = reader.at;
  }

  next(): Buffer {
    const length = this.#lengths.shift();
    if (length === undefined) throw new RangeError('a frame has fewer parts than it needs');
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    if (part.length < length) throw new RangeError('a frame ends too early');
    this.#at += length;
    return part;
  }
}
