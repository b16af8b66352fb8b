import { Buffer } from 'node:buffer';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
/** Tags of KeyValue, AnyValue and ArrayValue (common.proto): field number and wire type. */
const KEY_TAG = 0x0a;
const VALUE_TAG = 0x12;
const STRING_TAG = 0x0a;
const BOOL_TAG = 0x10;
const INT_TAG = 0x18;
const DOUBLE_TAG = 0x21;
const ARRAY_TAG = 0x2a;
/** Up to here a text is written character by character, which costs less than a call into native code. */
const MAX_SHORT = 120;
const TWO_32 = 2 ** 32;
/** Clients choose some names: the memory for them is bounded. */
const MAX_KEYS = 1_024;
const keys = new Map<string, Buffer>();

/** One double and its eight bytes, little-endian on every machine that Node runs on. */
const EIGHT = new Uint8Array(8);
const DOUBLE = new Float64Array(EIGHT.buffer);
const INTEGER = new BigUint64Array(EIGHT.buffer);

/** Protobuf field by field into one buffer that grows. https://protobuf.dev/programming-guides/encoding/ */
export class ProtobufWriter {
  readonly #blockBytes: number;
  #buffer: Buffer;
  /** Before it is what was taken. */
  #start = 0;
  #end = 0;

  /** `blockBytes`: of the memory that it takes at a time. */
  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
    this.#buffer = Buffer.allocUnsafeSlow(blockBytes);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** All since the last `take`. */
  get written(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** The bytes are no longer the writer's own: what follows is written behind them. */
  take(): Buffer {
    const { written } = this;
    this.#start = this.#end;
    return written;
  }

  /** What was written since the last `take` is forgotten. */
  clear(): void {
    this.#end = this.#start;
  }

  /** So many bytes follow: to grow step by step copies what is there each time. */
  expect(bytes: number): void {
    this.#room(bytes);
  }

  /** Fields that are encoded already. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  // ── messages ──────────────────────────────────────────────────────────────

  /** Leaves one byte for the length of the message that follows; returns `length`, where that begins. */
  begin(field: number): number {
    this.#tag(field, BYTES);
    return this.#open();
  }

  /** The message that began there is over: its length goes in front of it. */
  close(begin: number): void {
    const bytes = this.length - begin;
    if (bytes <= 0x7f) {
      this.#buffer[this.#start + begin - 1] = bytes;
      return;
    }
    const lengthBytes = varintBytes(bytes);
    this.#room(lengthBytes);
    const start = this.#start + begin;
    this.#buffer.copyWithin(start + lengthBytes - 1, start, this.#end);
    this.#end = start - 1;
    this.#varint(bytes);
    this.#end = start - 1 + lengthBytes + bytes;
  }

  /** As well a message that is encoded already. */
  bytes(field: number, bytes: Uint8Array): void {
    this.#tag(field, BYTES);
    this.#varint(bytes.length);
    this.raw(bytes);
  }

  // ── fields ────────────────────────────────────────────────────────────────

  string(field: number, text: string): void {
    this.#tag(field, BYTES);
    this.#room(3 * text.length + 5);
    this.#text(text);
  }

  /** `value`: whole, 0 to 2^53. */
  number(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#eight(value);
  }

  /** `value`: a whole number as text. */
  fixed64(field: number, value: string): void {
    this.#tag(field, FIXED64);
    this.#eightOf(value);
  }

  /** Milliseconds since the Unix epoch as nanoseconds, to the microsecond that a double holds. */
  nanoseconds(field: number, epochMs: number): void {
    this.#tag(field, FIXED64);
    this.#room(8);
    const microseconds = Math.round(epochMs * 1_000);
    const low = (microseconds % TWO_32) * 1_000;
    this.#word(low % TWO_32);
    this.#word(Math.floor(microseconds / TWO_32) * 1_000 + Math.floor(low / TWO_32));
  }

  doubles(field: number, values: readonly number[]): void {
    if (this.#packed(field, values)) for (const value of values) this.#eight(value);
  }

  fixed64s(field: number, values: readonly string[]): void {
    if (this.#packed(field, values)) for (const value of values) this.#eightOf(value);
  }

  // ── attributes: a KeyValue each ───────────────────────────────────────────

  textAttribute(field: number, key: string, text: string): void {
    const { length } = text;
    const name = keyBytes(key);
    this.#room(name.length + 3 * length + 16);
    const start = this.#end;
    if (length > MAX_SHORT || !this.#shortTextAttribute(field, name, text)) {
      this.#end = start;
      const bytes = Buffer.byteLength(text);
      this.#attributeHead(field, name, 1 + varintBytes(bytes) + bytes);
      this.#buffer[this.#end++] = STRING_TAG;
      this.#varint(bytes);
      this.#end += this.#buffer.write(text, this.#end);
    }
  }

  /** `value`: whole, up to 2^53. */
  wholeAttribute(field: number, key: string, value: number): void {
    if (value < 0) {
      this.#negativeAttribute(field, key, value);
      return;
    }
    const name = keyBytes(key);
    this.#room(name.length + 24);
    this.#attributeHead(field, name, 1 + varintBytes(value));
    this.#buffer[this.#end++] = INT_TAG;
    this.#varint(value);
  }

  doubleAttribute(field: number, key: string, value: number): void {
    const name = keyBytes(key);
    this.#room(name.length + 24);
    this.#attributeHead(field, name, 9);
    this.#buffer[this.#end++] = DOUBLE_TAG;
    this.#eight(value);
  }

  boolAttribute(field: number, key: string, isTrue: boolean): void {
    const name = keyBytes(key);
    this.#room(name.length + 16);
    this.#attributeHead(field, name, 2);
    this.#buffer[this.#end++] = BOOL_TAG;
    this.#buffer[this.#end++] = Number(isTrue);
  }

  textsAttribute(field: number, key: string, texts: readonly string[]): void {
    const name = keyBytes(key);
    const start = this.begin(field);
    this.#room(name.length);
    this.#copy(name);
    const value = this.#open();
    const list = this.begin(ARRAY_TAG >> 3);
    for (const text of texts) {
      const one = this.begin(1);
      this.string(STRING_TAG >> 3, text);
      this.close(one);
    }
    this.close(list);
    this.close(value);
    this.close(start);
  }

  // ── under them ────────────────────────────────────────────────────────────

  /** Behind the tag of a message. */
  #open(): number {
    this.#room(1);
    this.#end += 1;
    return this.length;
  }

  /** Most of what a span holds. False, and there is rubbish at the end: it is not ASCII. There is room for it. */
  #shortTextAttribute(field: number, name: Buffer, text: string): boolean {
    const { length } = text;
    this.#attributeHead(field, name, 2 + length);
    const buffer = this.#buffer;
    const at = this.#end + 2;
    buffer[at - 2] = STRING_TAG;
    buffer[at - 1] = length;
    this.#end = at + length;
    return writeAscii(text, buffer, at);
  }

  /** Up to the value's own bytes, of which there are so many. There is room for them. */
  #attributeHead(field: number, name: Buffer, valueBytes: number): void {
    this.#buffer[this.#end++] = field * 8 + BYTES;
    this.#varint(name.length + varintBytes(valueBytes) + valueBytes);
    this.#copy(name);
    this.#varint(valueBytes);
  }

  /** Ten bytes, as those of all negative numbers: https://protobuf.dev/programming-guides/encoding/#signed-ints */
  #negativeAttribute(field: number, key: string, value: number): void {
    const name = keyBytes(key);
    this.#room(name.length + 24);
    this.#attributeHead(field, name, 11);
    this.#buffer[this.#end++] = INT_TAG;
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) this.#buffer[this.#end++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#end++] = Number(rest);
  }

  /** With its length. There is room for it. */
  #text(text: string): void {
    const { length } = text;
    if (length <= MAX_SHORT && writeAscii(text, this.#buffer, this.#end + 1)) {
      this.#buffer[this.#end] = length;
      this.#end += 1 + length;
      return;
    }
    this.#varint(Buffer.byteLength(text));
    this.#end += this.#buffer.write(text, this.#end);
  }

  #packed(field: number, values: readonly unknown[]): boolean {
    if (values.length === 0) return false;
    this.#tag(field, BYTES);
    this.#varint(values.length * 8);
    return true;
  }

  #copy(bytes: Buffer): void {
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #eight(value: number): void {
    DOUBLE[0] = value;
    this.#copyEight();
  }

  #eightOf(value: string): void {
    INTEGER[0] = BigInt(value);
    this.#copyEight();
  }

  #copyEight(): void {
    this.#room(8);
    for (let index = 0; index < 8; index += 1) this.#buffer[this.#end + index] = EIGHT[index]!;
    this.#end += 8;
  }

  /** Four bytes, the lowest first. There is room for them. */
  #word(value: number): void {
    const buffer = this.#buffer;
    const end = this.#end;
    buffer[end] = value;
    buffer[end + 1] = value >>> 8;
    buffer[end + 2] = value >>> 16;
    buffer[end + 3] = value >>> 24;
    this.#end = end + 4;
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  /** `value`: whole, 0 to 2^53. */
  #varint(value: number): void {
    this.#room(8);
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) this.#buffer[this.#end++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) this.#buffer[this.#end++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#end++] = rest;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const { length } = this;
    const next = Buffer.allocUnsafeSlow(Math.max(this.#blockBytes, 2 * (length + bytes)));
    this.#buffer.copy(next, 0, this.#start, this.#end);
    this.#buffer = next;
    this.#start = 0;
    this.#end = length;
  }
}

/** How many bytes the varint of a whole number up to 2^53 takes. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let limit = 0x80; value >= limit; limit *= 128) bytes += 1;
  return bytes;
}

/** False: it is not ASCII, and some of it was written. */
function writeAscii(text: string, into: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return false;
    into[at + index] = code;
  }
  return true;
}

/** The field `key` of a KeyValue, and the tag of its value. */
function keyBytes(key: string): Buffer {
  let bytes = keys.get(key);
  if (bytes === undefined) {
    if (keys.size >= MAX_KEYS) keys.clear();
    const name = Buffer.from(key);
    const length: number[] = [];
    let rest = name.length;
    for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    bytes = Buffer.concat([Buffer.from([KEY_TAG, ...length, rest]), name, Buffer.from([VALUE_TAG])]);
    keys.set(key, bytes);
  }
  return bytes;
}
