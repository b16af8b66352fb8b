import { crc32 } from 'node:zlib';
import { GatewayError } from '../core/errors.ts';
import { PartialBuffer } from './partial-buffer.ts';

/**
 * AWS's binary event stream: messages of a prelude (total length, length of the headers, CRC32 of both), headers, payload
 * and a CRC32 of all before it. https://smithy.io/2.0/aws/amazon-eventstream.html
 *
 * Any cutting of the stream gives the same messages. Bounded: of one message at most `maxMessageBytes` are held. A wrong
 * checksum or length is an error, and so is everything after it: where the next message begins is not known.
 */
export class AwsFrameParser {
  readonly #onFrame: AwsFrameHandler;
  readonly #maxMessageBytes: number;
  readonly #partial = new PartialBuffer();
  /** Headers are the same for all events of a type: those that were read lately, latest first. */
  readonly #known: { readonly written: Buffer; readonly event: string | undefined }[] = [];
  #fault: GatewayError | undefined;

  constructor(onFrame: AwsFrameHandler, maxMessageBytes: number) {
    this.#onFrame = onFrame;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Takes the next bytes; `chunk` is not kept. The handler is called before this returns. */
  push(chunk: Buffer): GatewayError | undefined {
    if (this.#fault !== undefined) return this.#fault;
    let at = 0;
    if (this.#partial.length > 0) {
      at = this.#endCarried(chunk);
      if (at < 0 || this.#fault !== undefined) return this.#fault;
    }
    while (this.#fault === undefined && chunk.length - at >= PRELUDE_BYTES) {
      const bytes = this.#messageBytes(chunk, at);
      if (bytes === 0 || at + bytes > chunk.length) break;
      this.#message(chunk, at, at + bytes);
      at += bytes;
    }
    if (this.#fault === undefined && at < chunk.length) this.#partial.append(chunk, at);
    return this.#fault;
  }

  /** Offset in `chunk` behind the message that began in an earlier one; -1: its end has not come. */
  #endCarried(chunk: Buffer): number {
    let at = 0;
    if (this.#partial.length < PRELUDE_BYTES) {
      at = Math.min(PRELUDE_BYTES - this.#partial.length, chunk.length);
      this.#partial.append(chunk, 0, at);
      if (this.#partial.length < PRELUDE_BYTES) return -1;
    }
    const bytes = this.#messageBytes(this.#partial.memory, 0);
    if (bytes === 0) return -1;
    const end = Math.min(at + bytes - this.#partial.length, chunk.length);
    this.#partial.append(chunk, at, end);
    if (this.#partial.length < bytes) return -1;
    this.#message(this.#partial.memory, 0, bytes);
    this.#partial.clear();
    return end;
  }

  /** Length of the message that begins here; 0 where its prelude is broken or it is too large. */
  #messageBytes(bytes: Buffer, at: number): number {
    const total = uint32(bytes, at);
    if (total < PRELUDE_BYTES + CHECKSUM_BYTES || uint32(bytes, at + 8) !== preludeChecksum(bytes, at)) {
      this.#fail('The frame of its event stream is broken.');
      return 0;
    }
    if (total <= this.#maxMessageBytes) return total;
    this.#fault = new GatewayError('upstream_too_large', {
      detail: `One event of its stream is larger than ${this.#maxMessageBytes} bytes.`,
    });
    return 0;
  }

  #message(bytes: Buffer, start: number, end: number): void {
    const checked = end - CHECKSUM_BYTES;
    if (uint32(bytes, checked) !== crc32(bytes.subarray(start, checked))) {
      this.#fail('The checksum of an event of its stream is wrong.');
      return;
    }
    const headersStart = start + PRELUDE_BYTES;
    const headersEnd = headersStart + uint32(bytes, start + 4);
    if (headersEnd > checked) {
      this.#fail('The frame of its event stream is broken.');
      return;
    }
    for (const { written, event } of this.#known) {
      if (bytes.compare(written, 0, written.length, headersStart, headersEnd) !== 0) continue;
      this.#onFrame(event, bytes, headersEnd, checked);
      return;
    }
    const headers = readHeaders(bytes, headersStart, headersEnd);
    if (headers === undefined) {
      this.#fail('The headers of an event of its stream cannot be read.');
      return;
    }
    const event = headers.get(':event-type');
    if (headers.get(':message-type') === 'event' && headersEnd - headersStart <= MAX_KNOWN_BYTES) {
      // The type that comes most often comes to stand first: there are few before the first delta.
      if (this.#known.length === MAX_KNOWN) this.#known.pop();
      this.#known.unshift({ written: Buffer.from(bytes.subarray(headersStart, headersEnd)), event });
    }
    this.#deliver(headers, bytes, headersEnd, checked);
  }

  #deliver(headers: ReadonlyMap<string, string>, bytes: Buffer, start: number, end: number): void {
    switch (headers.get(':message-type')) {
      case 'exception':
        this.#onFrame(`${EXCEPTION}${headers.get(':exception-type') ?? ''}`, bytes, start, end);
        return;
      case 'error': {
        const payload = Buffer.from(JSON.stringify({ message: headers.get(':error-message') }));
        this.#onFrame(`${EXCEPTION}${headers.get(':error-code') ?? ''}`, payload, 0, payload.length);
        return;
      }
      default:
        this.#onFrame(headers.get(':event-type'), bytes, start, end);
    }
  }

  #fail(detail: string): void {
    this.#fault = new GatewayError('upstream_protocol', { detail });
  }
}

/** Messages whose payloads are text. */
export class AwsEventStreamParser extends AwsFrameParser {
  constructor(onEvent: AwsEventHandler, maxMessageBytes: number) {
    super((event, bytes, start, end) => onEvent(event, bytes.toString('utf8', start, end)), maxMessageBytes);
  }
}

/** `event` is the event's type; that of an exception has `EXCEPTION` before it. */
export type AwsEventHandler = (event: string | undefined, payload: string) => void;
/** The payload is bytes[start, end), which are the parser's again once this returns. */
export type AwsFrameHandler = (event: string | undefined, bytes: Buffer, start: number, end: number) => void;
export const EXCEPTION = 'exception:';

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
const MAX_KNOWN = 4;
const MAX_KNOWN_BYTES = 512;

/** CRC-32 of each byte value. For the prelude's eight bytes a table is faster than a call to `zlib.crc32`. */
const CRC_OF_BYTE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xed_b8_83_20 : crc >>> 1;
  return crc;
});

function preludeChecksum(bytes: Buffer, at: number): number {
  let crc = 0xff_ff_ff_ff;
  for (let index = at; index < at + 8; index += 1) crc = CRC_OF_BYTE[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xff_ff_ff_ff) >>> 0;
}

function uint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Lengths of header values by type; types 6 and 7 (bytes, string) say their own. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];
const STRING_TYPE = 7;

/** Those that are strings; undefined where they are broken. */
function readHeaders(bytes: Buffer, start: number, end: number): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  let at = start;
  while (at < end) {
    const nameEnd = at + 1 + bytes[at]!;
    if (nameEnd >= end) return undefined;
    const name = bytes.toString('latin1', at + 1, nameEnd);
    const type = bytes[nameEnd]!;
    at = nameEnd + 1;
    let length = VALUE_BYTES[type];
    if (length === undefined) return undefined;
    if (length < 0) {
      if (at + 2 > end) return undefined;
      length = bytes.readUInt16BE(at);
      at += 2;
    }
    if (at + length > end) return undefined;
    if (type === STRING_TYPE) headers.set(name, bytes.toString('utf8', at, at + length));
    at += length;
  }
  return headers;
}
