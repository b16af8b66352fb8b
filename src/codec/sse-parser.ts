import { GatewayError } from '../core/errors.ts';
import { PartialBuffer } from './partial-buffer.ts';

/**
 * Server-sent events, pushed in as bytes, given out as events: https://html.spec.whatwg.org/multipage/server-sent-events.html
 * Lines end with LF, CRLF or CR; a BOM at the very start is skipped; an event without its empty line at the end of the
 * stream is never given out. `id` and `retry` are read over: resuming is between a client and its server, not ours.
 *
 * Any cutting of the stream gives the same events: a line is put together as bytes and decoded once it is whole, so a
 * character cut in two is no special case. Bounded: of one event at most `maxEventBytes` are held, the line that is
 * being read included; beyond it `push` returns an error, and so it does ever after.
 */

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;

export type SseEventHandler = (event: string | undefined, data: string) => void;

export class SseParser {
  readonly #onEvent: SseEventHandler;
  readonly #maxEventBytes: number;
  /** The bytes of a line whose end has not come yet: copied, since the chunk they came in may be large. */
  #partial = new PartialBuffer();
  /** A CR ended the last chunk: an LF at the start of the next one belongs to it. */
  #skipLineFeed = false;
  #atStart = true;
  #event: string | undefined;
  #data: string | undefined;
  /** Bytes of the lines that `#event` and `#data` were made of. */
  #heldBytes = 0;
  #fault: GatewayError | undefined;

  constructor(onEvent: SseEventHandler, maxEventBytes: number) {
    this.#onEvent = onEvent;
    this.#maxEventBytes = maxEventBytes;
  }

  /** Takes the next bytes; `chunk` is not kept. The handler is called before this returns. */
  push(chunk: Buffer): GatewayError | undefined {
    if (this.#fault !== undefined) return this.#fault;
    const end = chunk.length;
    let start = 0;
    if (this.#skipLineFeed && end > 0) {
      this.#skipLineFeed = false;
      if (chunk[0] === LF) start = 1;
    }
    // Each search is done again only once it was passed; a stream without CR searches for it once per chunk.
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    while (lf >= 0 || cr >= 0) {
      let lineEnd: number;
      let next: number;
      if (cr < 0 || (lf >= 0 && lf < cr)) {
        lineEnd = lf;
        next = lf + 1;
      } else {
        lineEnd = cr;
        next = cr + 1;
        if (next === end) this.#skipLineFeed = true;
        else if (lf === next) next += 1;
      }
      const fault = this.#endLine(chunk, start, lineEnd);
      if (fault !== undefined) return fault;
      start = next;
      if (lf >= 0 && lf < start) lf = chunk.indexOf(LF, start);
      if (cr >= 0 && cr < start) cr = chunk.indexOf(CR, start);
    }
    return start < end ? this.#keepPart(chunk, start, end) : undefined;
  }

  #endLine(chunk: Buffer, start: number, end: number): GatewayError | undefined {
    if (this.#partial.length === 0) return this.#line(chunk, start, end);
    const fault = this.#keepPart(chunk, start, end);
    if (fault !== undefined) return fault;
    const { memory, length } = this.#partial;
    this.#partial.clear();
    return this.#line(memory, 0, length);
  }

  #keepPart(chunk: Buffer, start: number, end: number): GatewayError | undefined {
    if (this.#partial.length + end - start + this.#heldBytes > this.#maxEventBytes) return this.#tooLarge();
    this.#partial.append(chunk, start, end);
    return undefined;
  }

  #line(bytes: Buffer, from: number, end: number): GatewayError | undefined {
    let start = from;
    if (this.#atStart) {
      this.#atStart = false;
      if (end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
        start += 3;
    }
    if (start === end) {
      this.#dispatch();
      return undefined;
    }
    if (end - start + this.#heldBytes > this.#maxEventBytes) return this.#tooLarge();
    // Told apart by bytes, so that a comment or an unknown field is never decoded.
    const afterData = fieldEnd(bytes, start, end, 0x64, 0x61, 0x74, 0x61);
    if (afterData >= 0) {
      this.#heldBytes += end - start;
      const value = fieldValue(bytes, afterData, end);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
      return undefined;
    }
    // "event": its first four letters, then the fifth.
    if (end - start >= 5 && bytes[start + 4] === 0x74) {
      const afterEvent = fieldEnd(bytes, start + 1, end, 0x76, 0x65, 0x6e, 0x74);
      if (bytes[start] === 0x65 && afterEvent >= 0) {
        this.#heldBytes += end - start;
        this.#event = fieldValue(bytes, afterEvent, end);
      }
    }
    return undefined;
  }

  #dispatch(): void {
    const event = this.#event;
    const data = this.#data;
    this.#event = undefined;
    this.#data = undefined;
    this.#heldBytes = 0;
    if (data !== undefined) this.#onEvent(event === '' ? undefined : event, data);
  }

  #tooLarge(): GatewayError {
    this.#partial = new PartialBuffer();
    this.#data = undefined;
    this.#fault = new GatewayError('upstream_too_large', {
      detail: `One event of its stream is larger than ${this.#maxEventBytes} bytes.`,
    });
    return this.#fault;
  }
}

/** Where the value part begins (at the colon or the end) if the line is this four-letter field; else -1. */
function fieldEnd(bytes: Buffer, at: number, end: number, a: number, b: number, c: number, d: number): number {
  if (end - at < 4 || bytes[at] !== a || bytes[at + 1] !== b || bytes[at + 2] !== c || bytes[at + 3] !== d) return -1;
  return at + 4 === end || bytes[at + 4] === COLON ? at + 4 : -1;
}

/** One space behind the colon belongs to the syntax; a field without colon is empty. */
function fieldValue(bytes: Buffer, colon: number, end: number): string {
  let start = colon + 1;
  if (start < end && bytes[start] === SPACE) start += 1;
  return start < end ? bytes.toString('utf8', start, end) : '';
}
