import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { AnswerReader, type AnswerTaker, type ReadConnection } from './answer-reader.ts';
import { readInto, type SocketReader } from './direct-read.ts';
import type { HeadLines } from './head-lines.ts';
import { servedBefore } from './served-before.ts';
import { errors } from './undici-client.ts';

/** The sender of a request on a connection, and the receiver of its answer. It controls the transfer by the connection. */
export interface Sender extends AnswerTaker {
  onRequestStart(connection: HttpConnection): void;
  onResponseError(connection: HttpConnection | null, error: Error): void;
}

/** The owner of a connection. */
export interface HttpConnectionKeeper {
  /** It can carry no more requests. Before its `closed`. */
  spent(connection: HttpConnection): void;
  closed(connection: HttpConnection): void;
}

/** Bodies up to this are copied behind their head: one write of one piece is less than the copy. */
const MAX_JOINED_BYTES = 32_768;
/** An idle connection is closed so long before the provider closes it: a request could cross with that (as undici does). */
const KEEP_ALIVE_MARGIN_MS = 2_000;
const MAX_KEEP_ALIVE_MS = 600_000;
const LENGTH = Buffer.from('content-length: ');
const ZERO = 0x30;
const HEAD_END = Buffer.from('\r\n\r\n');
/** The bytes of the length's line, and of the empty one. */
const MAX_TAIL_BYTES = LENGTH.length + 16 + HEAD_END.length;
/** Heads have less than half of it. */
const WRITTEN_BYTES = 65_536;
/**
 * Requests are joined here. The kernel mostly takes all of a request at once, so the next one may use the same memory: fresh
 * memory for each would be garbage for each.
 */
let written = Buffer.allocUnsafeSlow(WRITTEN_BYTES);

/**
 * HTTP/1.1 on one socket, for requests that are whole in memory: a request is one write, and its answer is read out of the
 * memory that the socket reads into. undici would do it too, and a whole answer would cost a quarter more (load:
 * chat-whole). Unusual requests go through undici (origin-connection.ts).
 */
export class HttpConnection implements ReadConnection, SocketReader {
  /** How long it may be idle; undefined: as long as the pool keeps it. Below 0: not at all. */
  keepAliveMs: number | undefined;
  readonly #socket: Socket;
  readonly #keeper: HttpConnectionKeeper;
  readonly #reader: AnswerReader;
  readonly #bytesBefore: number;
  #sender: Sender | undefined;
  #error: Error | undefined;
  #spent = false;
  /** The socket may read written memory after the call has returned. */
  #keepsWritten: boolean;
  /** The socket keeps the thread alive. */
  #isAwaited = true;

  constructor(socket: Socket, keeper: HttpConnectionKeeper, lines: HeadLines) {
    this.#reader = new AnswerReader(this, lines);
    this.#socket = socket;
    this.#keeper = keeper;
    // A proxy has answered on it before.
    this.#bytesBefore = socket.bytesRead;
    this.#keepsWritten = socket instanceof TLSSocket;
    // undici's for the time of connecting: it holds a timer and the options of each connection.
    const connecting = this.#keepsWritten ? [] : socket.listeners('error');
    readInto(socket, this);
    // Behind ours: with none left in between Node would keep the listeners of this socket in a hash table.
    for (const listener of connecting) socket.off('error', listener as () => void);
  }

  /** `head`: all up to the content-length line. */
  send(sender: Sender, head: Buffer, body: Buffer | undefined, expectsBody: boolean): void {
    this.#sender = sender;
    if (!this.#isAwaited) this.#await();
    this.#reader.expect(sender, false);
    sender.onRequestStart(this);
    if (this.#sender !== sender) return;
    const socket = this.#socket;
    const joined = body !== undefined && body.length <= MAX_JOINED_BYTES ? body.length : 0;
    const isOnePiece = body === undefined || joined > 0;
    const length = head.length + MAX_TAIL_BYTES + joined;
    const isShared = isOnePiece && !this.#keepsWritten && length <= WRITTEN_BYTES;
    const bytes = isShared ? written : Buffer.allocUnsafe(length);
    bytes.set(head, 0);
    const end = writeTail(bytes, head.length, body !== undefined || expectsBody ? (body?.length ?? 0) : undefined);
    if (!isOnePiece) {
      socket.cork();
      socket.write(bytes.subarray(0, end));
      socket.write(body);
      socket.uncork();
      return;
    }
    if (body !== undefined) bytes.set(body, end);
    socket.write(bytes.subarray(0, end + joined));
    if (!isShared || socket.writableLength === 0) return;
    // Some of the bytes wait, as they always do under TLS: the memory is the socket's.
    this.#keepsWritten = true;
    written = Buffer.allocUnsafeSlow(WRITTEN_BYTES);
  }

  pause(): void {
    this.#reader.pause();
  }

  resume(): void {
    if (!this.#reader.paused) return;
    if (!this.#reader.resume()) this.#fail();
    // Node reads on when it is asked.
    if (!this.#reader.paused && !this.#socket.destroyed) this.#socket.read(0);
  }

  abort(): void {
    this.#sender = undefined;
    this.#reader.forget();
    this.destroy();
  }

  get busy(): boolean {
    return this.#sender !== undefined;
  }

  destroy(error?: Error): void {
    this.#spend();
    this.#error ??= error;
    this.#socket.destroy();
  }

  /**
   * It has been idle for a while, and no longer keeps the thread alive. This is not called behind each answer, since the
   * next request mostly follows at once.
   */
  rest(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#socket.unref();
  }

  #await(): void {
    this.#isAwaited = true;
    this.#socket.ref();
  }

  /** Hands over the socket, which is idle. */
  release(): Socket {
    const socket = this.#socket;
    this.#await();
    readInto(socket, undefined);
    return socket;
  }

  read(bytes: Buffer, length: number): boolean {
    return this.#reader.read(bytes, length);
  }

  answerEnded(taker: AnswerTaker, reusable: boolean, keepAliveMs: number | undefined): void {
    this.#sender = undefined;
    this.keepAliveMs =
      keepAliveMs === undefined ? undefined : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, MAX_KEEP_ALIVE_MS);
    const rests = reusable && (this.keepAliveMs === undefined || this.keepAliveMs > 0);
    // The provider answered before it took the whole request: the rest would stand before the next request.
    if (!rests || this.#socket.writableLength > 0) this.destroy();
    taker.answerEnd();
  }

  answerInvalid(what: string): void {
    this.destroy(new errors.HTTPParserError(what));
    this.#fail();
  }

  failed(error: Error): void {
    this.#error ??= error;
    this.#spend();
  }

  ended(): void {
    this.#spend();
    if (!this.#reader.close()) this.#error ??= new errors.SocketError('other side closed');
    this.#socket.destroy();
  }

  closed(): void {
    this.#spend();
    // A sender that paused after its whole answer came is told when it goes on.
    if (this.#error !== undefined || !this.#reader.close()) this.#fail();
    this.#keeper.closed(this);
  }

  #spend(): void {
    if (this.#spent) return;
    this.#spent = true;
    this.#keeper.spent(this);
  }

  #fail(): void {
    const sender = this.#sender;
    if (sender === undefined) return;
    this.#sender = undefined;
    this.#reader.forget();
    const error = this.#error ?? new errors.SocketError('closed');
    sender.onResponseError(this, servedBefore(error, this.#socket.bytesRead > this.#bytesBefore));
  }
}

/** Writes the content-length line, where there is one, and the empty line; returns where they end. */
function writeTail(bytes: Buffer, start: number, length: number | undefined): number {
  if (length === undefined) {
    bytes.set(HEAD_END.subarray(2), start);
    return start + 2;
  }
  bytes.set(LENGTH, start);
  let digits = 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  const end = start + LENGTH.length + digits;
  for (let at = end - 1, rest = length; at >= end - digits; at -= 1, rest = Math.floor(rest / 10)) {
    bytes[at] = ZERO + (rest % 10);
  }
  bytes.set(HEAD_END, end);
  return end + HEAD_END.length;
}
