/**
 * Reads HTTP/1.1 answers off a raw socket: status, body bytes, end. For loads autocannon cannot make (thousands of
 * paced streams, clients that leave), where every µs of the driver is taken from the subject.
 *
 * Holds at most one head (16 KB) or one chunk-size line; body bytes are counted and handed on, never kept.
 */
const MAX_HEAD_BYTES = 16 * 1024;
const CR = 13;
const LF = 10;

export type ResponseEvents = {
  onHead(status: number): void;
  /** Body bytes without chunk framing; once a read, however many chunks it held, and before `onEnd`. */
  onBody(bytes: number): void;
  onEnd(): void;
};

type State = 'head' | 'sized' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer';

export class ResponseReader {
  readonly #events: ResponseEvents;
  #state: State = 'head';
  #text = '';
  #left = 0;
  #bodyBytes = 0;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'head') at = this.#readHead(bytes, at);
      else if (this.#state === 'sized' || this.#state === 'chunk-data') at = this.#readBody(bytes, at);
      else at = this.#readLine(bytes, at);
    }
    this.#tellBody();
  }

  #tellBody(): void {
    if (this.#bodyBytes === 0) return;
    const bytes = this.#bodyBytes;
    this.#bodyBytes = 0;
    this.#events.onBody(bytes);
  }

  #readHead(bytes: Buffer, at: number): number {
    // The blank line may be cut anywhere, so the search begins in what is kept.
    const kept = this.#text.length;
    const text = this.#text + bytes.toString('latin1', at, Math.min(bytes.length, at + MAX_HEAD_BYTES + 1));
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) {
      if (text.length > MAX_HEAD_BYTES) throw new Error('head over 16 KB');
      this.#text = text;
      return bytes.length;
    }
    this.#text = '';
    this.#startBody(text.slice(0, end));
    return at + end + 4 - kept;
  }

  #startBody(head: string): void {
    const status = Number(head.slice(9, 12));
    if (status === 100) return;
    this.#events.onHead(status);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      this.#left = Number(length);
      if (this.#left === 0) this.#finish();
      else this.#state = 'sized';
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = 'chunk-size';
    else throw new Error('answer with neither content-length nor chunks');
  }

  #readBody(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#left, bytes.length - at);
    this.#left -= taken;
    this.#bodyBytes += taken;
    if (this.#left === 0) {
      if (this.#state === 'sized') this.#finish();
      else this.#state = 'chunk-end';
    }
    return at + taken;
  }

  /** A line of the framing: chunk size, the end of a chunk, a trailer. */
  #readLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    if (end === -1) {
      this.#text += bytes.toString('latin1', at);
      if (this.#text.length > MAX_HEAD_BYTES) throw new Error('line over 16 KB');
      return bytes.length;
    }
    const line = this.#text + bytes.toString('latin1', at, end > at && bytes[end - 1] === CR ? end - 1 : end);
    this.#text = '';
    if (this.#state === 'chunk-end') this.#state = 'chunk-size';
    else if (this.#state === 'trailer') {
      if (line === '' || line === '\r') this.#finish();
    } else {
      this.#left = Number.parseInt(line, 16);
      if (Number.isNaN(this.#left)) throw new Error(`chunk size '${line}'`);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
    }
    return end + 1;
  }

  #finish(): void {
    this.#state = 'head';
    this.#tellBody();
    this.#events.onEnd();
  }
}
