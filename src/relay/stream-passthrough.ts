import { ByteList } from '../codec/byte-list.ts';
import { EventEnds, endsWithEvent, lastEventEnd, nextEventEnd } from '../codec/event-cutter.ts';
import { parseObject } from '../codec/json-value.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import { readEvent } from '../codec/sse-event.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerForm, ExpectedStream, StreamLessons, StreamReader } from '../dialects/answer-form.ts';
import type { Target, Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { HeldMemory } from './held-memory.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { streamError } from './stream-error.ts';

const LF = 0x0a;
const CR = 0x0d;
/** Nothing but content is larger than this: its bytes count for the waits before its event is whole. */
const LARGE_BYTES = 65_536;
/** The beginning of an empty line may be the end of one read: so many bytes of it. */
const BOUNDARY_BYTES = 3;
/** One for all streams of a thread: a walk begins and ends within one read. */
const ends = new EventEnds();
const EMPTY = Buffer.alloc(0);
const EMPTY_LINE = Buffer.from('\n\n');
const LINE_END = Buffer.from('\n');
const CR_LINE_END = Buffer.from('\r\n');

export interface StreamPassthroughOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly target: Target;
  readonly form: Pick<Required<AnswerForm>, 'stream'>;
  readonly expected: ExpectedStream;
  readonly memory: HeldMemory;
  readonly contentType: string;
  /** What may be held before the first content. */
  readonly holdBytes: number;
  /** A longer event is passed on in pieces. */
  readonly maxEventBytes: number;
}

/**
 * An event stream that its client and its provider speak alike, carried back byte for byte in whole events, and read on
 * the side by its form. A read of whole events, be it one or a hundred, is passed on by reference; an event that the
 * network cut is held until its end comes, so that the client's stream ends with a whole event whatever happens.
 */
export class StreamPassthrough implements RelayMode {
  readonly isStream = true;
  readonly #o: StreamPassthroughOptions;
  readonly #reader: StreamReader;
  /** The unfinished event at the end of what was received; of one that is passed in pieces its last bytes. */
  readonly #unfinished = new PartialBuffer();
  #inPieces = false;
  #committed = false;
  /** Made with the first bytes that wait; undefined: none do. */
  #beforeContent: ByteList | undefined;
  #over = false;

  constructor(options: StreamPassthroughOptions) {
    this.#o = options;
    const { meter, wire } = options;
    this.#reader = options.form.stream({ ...options.expected, lessons: lessonsOf(options.target) }, (usage, answer) => {
      const counts = wire.toUsage(usage, answer);
      if (counts) meter.add(counts);
    });
  }

  get unfinishedLine(): boolean {
    return this.#inPieces;
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    this.#o.meter.passed(bytes);
    if (this.#unfinished.length === 0) this.#fresh(bytes);
    else if (this.#inPieces) this.#passPiece(bytes);
    else this.#endEvent(bytes);
  }

  ended(): void {
    if (this.#over) return;
    // Only whole events say that a stream is whole; one that lacks nothing but its empty line may still say the end.
    const { finished } = this.#reader;
    if (this.#unfinished.length > 0 && !this.#inPieces) this.#lastEvent(finished);
    if (this.#over) return;
    if (finished && !this.#inPieces) this.#finish(undefined);
    else this.#fail(new GatewayError('upstream_cut', { detail: 'The stream ended without its last event.' }));
  }

  #events(bytes: Buffer): void {
    const reader = this.#reader;
    reader.read(bytes);
    if (reader.content > 0) {
      this.#commit();
      this.#o.host.content(reader.content);
    }
    const rest = this.#passEdited(bytes);
    if (reader.error !== undefined) {
      if (rest !== undefined) this.#pass(rest);
      this.#fail(streamError(reader.error, this.#o.wire, this.#o.target));
    } else if (reader.ended) this.#finish(rest);
    else if (rest !== undefined) this.#pass(rest);
  }

  /** Passes on what is the client's, but for the last of it, which is given back. */
  #passEdited(bytes: Buffer): Buffer | undefined {
    const { passed, edits } = this.#reader;
    let from = 0;
    for (const { start, end, bytes: instead } of edits) {
      if (start > from) this.#pass(bytes.subarray(from, start));
      if (instead !== undefined) this.#pass(instead);
      from = end;
    }
    if (from === 0 && passed === bytes.length) return bytes;
    return from < passed ? bytes.subarray(from, passed) : undefined;
  }

  #pass(bytes: Buffer): void {
    if (this.#committed) {
      this.#o.host.write(bytes);
      return;
    }
    this.#beforeContent ??= new ByteList();
    this.#beforeContent.push(bytes);
    if (this.#beforeContent.length > this.#o.holdBytes) this.#commit();
  }

  #commit(): void {
    if (this.#committed) return;
    this.#committed = true;
    this.#o.host.commit(this.#o.contentType);
    const before = this.#beforeContent;
    this.#beforeContent = undefined;
    if (before !== undefined) for (const bytes of before.pieces()) this.#o.host.write(bytes);
  }

  #finish(last: Buffer | undefined): void {
    this.#commit();
    this.#over = true;
    this.#o.host.finish(last);
  }

  #fail(error: GatewayError): void {
    this.#over = true;
    this.#o.host.fail(error);
  }

  // ── reads that begin or end in the middle of an event ─────────────────────

  /** Behind whole events. */
  #fresh(bytes: Buffer): void {
    const end = endsWithEvent(bytes) ? bytes.length : lastEventEnd(bytes, 0, bytes.length);
    if (end > 0) this.#events(end === bytes.length ? bytes : bytes.subarray(0, end));
    if (!this.#over && end < bytes.length) this.#hold(end > 0 ? bytes.subarray(end) : bytes);
  }

  /** Only what ends the unfinished event is copied to it; what follows is on its own. */
  #endEvent(bytes: Buffer): void {
    if (bytes.indexOf(LF) < 0 && bytes.indexOf(CR) < 0) {
      this.#keep(bytes);
      return;
    }
    ends.begin(bytes);
    const end = ends.after(0);
    ends.end();
    if (end === bytes.length) {
      this.#hold(bytes);
      return;
    }
    this.#hold(bytes.subarray(0, end));
    if (this.#over) return;
    if (this.#inPieces) this.#passPiece(bytes.subarray(end));
    else this.#fresh(bytes.subarray(end));
  }

  #hold(bytes: Buffer): void {
    const from = Math.max(0, this.#unfinished.length - BOUNDARY_BYTES);
    this.#unfinished.append(bytes);
    const end = lastEventEnd(this.#unfinished.memory, from, this.#unfinished.length);
    if (end > 0) this.#events(this.#unfinished.take(end));
    if (!this.#over) this.#keep(EMPTY);
  }

  /** More of the event whose end has not come. */
  #keep(bytes: Buffer): void {
    this.#unfinished.append(bytes);
    const { length } = this.#unfinished;
    // What was held before has left: had the client not taken it, nothing more would have been read.
    if (length === 0) this.#o.memory.release();
    else if (length > this.#o.maxEventBytes || !this.#o.memory.mayHold(length)) this.#passInPieces();
    // An image may take longer than a provider may be silent.
    else if (length > LARGE_BYTES) this.#o.host.content(1);
  }

  /** The last bytes of a stream that HTTP ended cleanly, without an empty line behind them. */
  #lastEvent(finished: boolean): void {
    this.#unfinished.append(missingLineEnds(this.#unfinished.memory, this.#unfinished.length));
    const event = this.#unfinished.take(this.#unfinished.length);
    const { data } = readEvent(event, 0, event.length);
    const isWhole = data !== undefined && parseObject(data) !== undefined;
    const probe = this.#o.form.stream(this.#o.expected, () => {});
    probe.read(event);
    // Half an event is dropped; a whole one of an answer that is whole gets the empty line that it lacks.
    if (probe.ended || probe.error !== undefined || (isWhole && finished)) this.#events(event);
  }

  // ── events longer than may be held ────────────────────────────────────────

  #passInPieces(): void {
    this.#inPieces = true;
    this.#commit();
    this.#o.host.content(1);
    const begun = this.#unfinished.take(this.#unfinished.length);
    this.#o.memory.release();
    this.#o.host.write(begun);
    this.#unfinished.append(begun, Math.max(0, begun.length - BOUNDARY_BYTES));
  }

  /** The boundary may lie across two reads: the last bytes of the event stay in the carry. */
  #passPiece(bytes: Buffer): void {
    const before = this.#unfinished.length;
    this.#unfinished.append(bytes);
    const end = nextEventEnd(this.#unfinished.memory.subarray(0, this.#unfinished.length), 0);
    this.#o.host.content(1);
    if (end < 0) {
      this.#o.host.write(bytes);
      this.#unfinished.keepLast(BOUNDARY_BYTES);
      return;
    }
    this.#inPieces = false;
    this.#unfinished.clear();
    const ofEvent = Math.max(0, end - before);
    if (ofEvent > 0) this.#o.host.write(bytes.subarray(0, ofEvent));
    if (ofEvent < bytes.length) this.#fresh(bytes.subarray(ofEvent));
  }
}

/** What the streams of each target taught. */
const lessons = new WeakMap<Target, StreamLessons>();

function lessonsOf(target: Target): StreamLessons {
  let known = lessons.get(target);
  if (known === undefined) {
    known = { familiar: undefined, known: undefined };
    lessons.set(target, known);
  }
  return known;
}

/** What an unfinished event lacks to be one. */
function missingLineEnds(bytes: Buffer, length: number): Buffer {
  if (bytes[length - 1] !== LF) return EMPTY_LINE;
  return bytes[length - 2] === CR ? CR_LINE_END : LINE_END;
}
