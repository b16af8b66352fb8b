import { AnswerHead, INCOMPLETE, INVALID } from './answer-head.ts';
import { ChunkedBody } from './chunked-body.ts';
import type { HeadLines } from './head-lines.ts';

/** The receiver of an answer, in the order of the calls. It may pause, resume or abort within each of them. */
export interface AnswerTaker {
  /** The first byte of an answer came. */
  onResponseStarted(): void;
  /** A head, informational ones (1xx) included. */
  answerHead(status: number, headers: Record<string, string | string[]>): void;
  /** A part of the body; the receiver owns the bytes. `pieces`: how many the provider sent them in. */
  answerBody(bytes: Buffer, pieces: number): void;
  answerEnd(): void;
}

/** The connection that is read. */
export interface ReadConnection {
  /** The taker has its whole answer. `reusable`: the connection may carry another request. */
  answerEnded(taker: AnswerTaker, reusable: boolean, keepAliveMs: number | undefined): void;
  /** The bytes are no answer, or nobody asked for them. */
  answerInvalid(what: string): void;
}

const NOTHING = Buffer.alloc(0);

/** What the next bytes belong to. */
const NO_ANSWER = 0;
const HEAD = 1;
const COUNTED = 2;
const CHUNKED = 3;
const UNTIL_CLOSE = 4;
const END = 5;

/** One for all connections of a thread: its fields are copied out before another head is read. */
const head = new AnswerHead();

/**
 * Reads the answers of one connection out of its bytes, one at a time (RFC 9112). While it is paused it calls nobody, and
 * keeps the bytes that came: at most those of one read, since the connection reads no further.
 */
export class AnswerReader {
  readonly #connection: ReadConnection;
  readonly #lines: HeadLines;
  #keepsAlive = false;
  #keepAliveMs: number | undefined;
  readonly #chunks = new ChunkedBody();
  #taker: AnswerTaker | undefined;
  #hasNoBody = false;
  #part = NO_ANSWER;
  #begun = false;
  /** The bytes left of a counted body. */
  #left = 0;
  #paused = false;
  /** It is going through bytes: a `resume` within one of its calls goes on there. */
  #advancing = false;
  /** Received bytes that were not read: the beginning of a head, or bytes that came during a pause. */
  #kept: Buffer | undefined;
  #closed = false;

  /** `lines`: those of all heads of this origin. */
  constructor(connection: ReadConnection, lines: HeadLines) {
    this.#connection = connection;
    this.#lines = lines;
  }

  /** `hasNoBody`: the answer has no body whatever its head says, as for HEAD. */
  expect(taker: AnswerTaker, hasNoBody: boolean): void {
    this.#taker = taker;
    this.#hasNoBody = hasNoBody;
    this.#part = HEAD;
    this.#begun = false;
    this.#paused = false;
  }

  /** The receiver is called no more. */
  forget(): void {
    this.#taker = undefined;
    this.#kept = undefined;
  }

  get taker(): AnswerTaker | undefined {
    return this.#taker;
  }

  /** Reads the first `length` bytes, which are the connection's again afterwards. False: read no more for now. */
  read(bytes: Buffer, length: number): boolean {
    if (this.#kept !== undefined) {
      const all = Buffer.concat([this.#kept, bytes.subarray(0, length)]);
      this.#kept = undefined;
      this.#advance(all, all.length);
    } else this.#advance(bytes, length);
    return !this.#paused;
  }

  pause(): void {
    this.#paused = true;
  }

  /** False: the provider had closed in the middle of the answer. */
  resume(): boolean {
    if (!this.#paused) return true;
    this.#paused = false;
    if (this.#advancing) return true;
    const kept = this.#kept ?? NOTHING;
    this.#kept = undefined;
    this.#advance(kept, kept.length);
    return !this.#closed || this.#paused || this.close();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The provider closed. False: in the middle of an answer. */
  close(): boolean {
    this.#closed = true;
    if (this.#paused && this.#taker !== undefined) return true;
    if (this.#part === UNTIL_CLOSE && this.#taker !== undefined) {
      this.#part = END;
      this.#advance(NOTHING, 0);
    }
    return this.#taker === undefined;
  }

  #advance(bytes: Buffer, to: number): void {
    this.#advancing = true;
    try {
      this.#go(bytes, to);
    } finally {
      this.#advancing = false;
    }
  }

  #go(bytes: Buffer, to: number): void {
    let at = 0;
    while (!this.#paused) {
      const taker = this.#taker;
      if (taker === undefined) {
        if (at < to) this.#connection.answerInvalid('bytes for which nobody asked');
        return;
      }
      if (this.#part === END) {
        this.#end(taker, at === to);
        return;
      }
      if (at === to) return;
      at = this.#part === HEAD ? this.#readHead(taker, bytes, at, to) : this.#readBody(taker, bytes, at, to);
      if (at < 0) return;
    }
    if (at < to) this.#kept = copied(bytes, at, to);
  }

  /** Returns where the head ends; below 0: go no further. */
  #readHead(taker: AnswerTaker, bytes: Buffer, at: number, to: number): number {
    if (!this.#begun) {
      this.#begun = true;
      taker.onResponseStarted();
      if (this.#taker !== taker) return INVALID;
    }
    const end = head.parse(bytes, at, to, this.#lines);
    if (end === INCOMPLETE) this.#kept = copied(bytes, at, to);
    else if (end === INVALID) this.#connection.answerInvalid('not a head of HTTP/1.1');
    if (end < 0) return end;
    const { status, headers, length } = head;
    const part = partOf(head);
    this.#keepsAlive = head.keepsAlive;
    this.#keepAliveMs = head.keepAliveMs;
    taker.answerHead(status, headers);
    if (this.#taker !== taker) return INVALID;
    if (status >= 200) this.#part = this.#hasNoBody ? END : part;
    this.#left = length;
    if (this.#part === CHUNKED) this.#chunks.begin();
    return end;
  }

  #readBody(taker: AnswerTaker, bytes: Buffer, at: number, to: number): number {
    if (this.#part === CHUNKED) return this.#readChunks(taker, bytes, at, to);
    const end = this.#part === COUNTED ? Math.min(to, at + this.#left) : to;
    if (this.#part === COUNTED) {
      this.#left -= end - at;
      if (this.#left === 0) this.#part = END;
    }
    taker.answerBody(copied(bytes, at, end), 1);
    return this.#taker === taker ? end : INVALID;
  }

  #readChunks(taker: AnswerTaker, bytes: Buffer, at: number, to: number): number {
    const chunks = this.#chunks;
    const end = chunks.close(bytes, at, to);
    const read = chunks.read;
    if (chunks.isWhole) this.#part = END;
    if (end > at) taker.answerBody(copied(bytes, at, end), chunks.pieces);
    if (this.#taker !== taker) return INVALID;
    if (!chunks.isInvalid) return read;
    this.#connection.answerInvalid('not a chunk of HTTP/1.1');
    return INVALID;
  }

  #end(taker: AnswerTaker, isLast: boolean): void {
    this.#taker = undefined;
    this.#part = NO_ANSWER;
    this.#connection.answerEnded(taker, isLast && this.#keepsAlive && !this.#closed, this.#keepAliveMs);
  }
}

function partOf({ framing, length }: AnswerHead): number {
  if (framing === 'chunked') return CHUNKED;
  if (framing === 'close') return UNTIL_CLOSE;
  return framing === 'length' && length > 0 ? COUNTED : END;
}

/** Node has a pool for smaller buffers. */
const POOLED_BYTES = 4_096;
const SLAB_BYTES = 65_536;
let slab = NOTHING;
let slabUsed = 0;

/** Reads of a busy connection are large: fresh memory for each costs a tenth of a burst stream (load: chat-burst). */
function roomFor(length: number): Buffer {
  if (length < POOLED_BYTES || length > SLAB_BYTES >> 1) return Buffer.allocUnsafe(length);
  if (slab.length - slabUsed < length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  const room = slab.subarray(slabUsed, slabUsed + length);
  slabUsed += length;
  return room;
}

function copied(bytes: Buffer, from: number, to: number): Buffer {
  const copy = roomFor(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}
