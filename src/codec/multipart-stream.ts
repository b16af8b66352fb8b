import { MAX_PART_HEAD_BYTES, MAX_PARTS, type PartHead, readPartHead } from './multipart.ts';

export interface FormListener {
  /** `at`: where in the form its value begins. False: the form is not read on. */
  part(head: PartHead, at: number): boolean;
  /** Bytes of the value of the part, good until the call returns. False: the form is not read on. */
  data(bytes: Buffer): boolean;
  /** Its value is whole, and ends at `at`. False: the form is not read on. */
  partEnd(at: number): boolean;
}

type State = 'begin' | 'boundary' | 'head' | 'value' | 'end' | 'stopped';

/** What the bytes that two pieces may share are at most, beside a head: a boundary, two dashes and line ends. */
const CRLF_BYTES = 2;
const HEAD_END = Buffer.from('\r\n\r\n');
const DASH = 0x2d;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

/** As long as the longest piece so far: what the kernel gives at once, half a MiB at most. */
let scratch = Buffer.alloc(0);

/**
 * A multipart form (RFC 7578) whose values are handed on as they arrive. It is as strict as MultipartScan, and keeps no more
 * than one head of a part or one boundary: all forms of a thread are read in the same piece of memory, since a copy of each
 * piece would be as much garbage as the file is long.
 */
export class MultipartStream {
  /** The fault of the form. */
  fault: string | undefined;
  readonly #listener: FormListener;
  readonly #first: Buffer;
  #state: State = 'begin';
  /** What of the bytes so far is not dealt with. */
  #rest: Buffer = Buffer.alloc(0);
  #count = 0;
  /** Where the rest begins, in the form. */
  #at = 0;

  constructor(boundary: string, listener: FormListener) {
    this.#listener = listener;
    this.#first = Buffer.from(`--${boundary}`, 'latin1');
  }

  /** The bytes may be changed afterwards. */
  take(bytes: Uint8Array): void {
    if (this.#state === 'stopped') return;
    const kept = this.#rest;
    const length = kept.length + bytes.length;
    if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length);
    scratch.set(kept);
    scratch.set(bytes, kept.length);
    this.#rest = scratch.subarray(0, length);
    while (this.#step());
    this.#rest = Buffer.from(this.#rest);
  }

  /** After the last byte: what is wrong with the form; undefined: nothing. */
  finish(): string | undefined {
    if (this.#state !== 'end' && this.#state !== 'stopped') {
      this.#fail(this.#count === 0 ? 'no part begins' : 'it breaks off: the boundary that ends the form is missing');
    }
    return this.fault;
  }

  /** False: more bytes are needed, or none. */
  #step(): boolean {
    switch (this.#state) {
      case 'begin':
        return this.#begin();
      case 'boundary':
        return this.#behindBoundary();
      case 'head':
        return this.#head();
      case 'value':
        return this.#value();
      case 'end':
        return this.#epilogue();
      case 'stopped':
        return false;
    }
  }

  #begin(): boolean {
    const bytes = this.#rest;
    // Some begin with the line end that stands before every other boundary.
    const from = bytes[0] === CR ? CRLF_BYTES : 0;
    const end = from + this.#first.length;
    if (bytes.length < end) return false;
    if (bytes.compare(this.#first, 0, this.#first.length, from, end) !== 0 || (from > 0 && bytes[1] !== LF)) {
      return this.#fail('it does not begin with the boundary of its content-type');
    }
    return this.#goOn(end, 'boundary');
  }

  #behindBoundary(): boolean {
    const [one, other] = this.#rest;
    if (one === undefined || other === undefined) return false;
    if (one === DASH && other === DASH) return this.#goOn(CRLF_BYTES, 'end');
    if (one !== CR || other !== LF) return this.#fail('behind a boundary a line end is expected');
    this.#count += 1;
    if (this.#count > MAX_PARTS) return this.#fail(`it has more than ${MAX_PARTS} parts`);
    return this.#goOn(CRLF_BYTES, 'head');
  }

  #head(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if ((end < 0 ? this.#rest.length : end) > MAX_PART_HEAD_BYTES) {
      return this.#fail(`the headers of part ${this.#count} are longer than ${MAX_PART_HEAD_BYTES} bytes`);
    }
    if (end < 0) return false;
    const head = readPartHead(this.#rest.toString('utf8', 0, end), `part ${this.#count}`);
    if (typeof head === 'string') return this.#fail(head);
    if (!this.#listener.part(head, this.#at + end + HEAD_END.length)) return this.#stop();
    return this.#goOn(end + HEAD_END.length, 'value');
  }

  #value(): boolean {
    const bytes = this.#rest;
    for (let at = 0; ; ) {
      const end = bytes.indexOf(this.#first, at);
      if (end < 0) break;
      if (end >= CRLF_BYTES && bytes[end - 1] === LF && bytes[end - 2] === CR) {
        if (end > CRLF_BYTES && !this.#listener.data(bytes.subarray(0, end - CRLF_BYTES))) return this.#stop();
        if (!this.#listener.partEnd(this.#at + end - CRLF_BYTES)) return this.#stop();
        return this.#goOn(end + this.#first.length, 'boundary');
      }
      // Some readers take any line end for the one before a boundary.
      const before = end === 0 ? LF : bytes[end - 1];
      if (before === LF || before === CR) return this.#fail('before a boundary CR LF is expected');
      at = end + 1;
    }
    // A boundary may have begun, and the line end before it.
    const certain = bytes.length - (this.#first.length - 1) - CRLF_BYTES;
    if (certain <= 0) return false;
    if (!this.#listener.data(bytes.subarray(0, certain))) return this.#stop();
    this.#goOn(certain, 'value');
    return false;
  }

  /** Readers drop what stands behind the form. */
  #epilogue(): boolean {
    for (const byte of this.#rest) {
      if (byte !== CR && byte !== LF && byte !== SPACE && byte !== TAB) {
        return this.#fail('something stands behind the end of the form');
      }
    }
    this.#rest = this.#rest.subarray(this.#rest.length);
    return false;
  }

  #goOn(bytes: number, state: State): true {
    this.#at += bytes;
    this.#rest = this.#rest.subarray(bytes);
    this.#state = state;
    return true;
  }

  #stop(): false {
    this.#state = 'stopped';
    this.#rest = Buffer.alloc(0);
    return false;
  }

  #fail(detail: string): false {
    this.fault = detail;
    return this.#stop();
  }
}
