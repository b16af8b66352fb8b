import type { AnyValue, KeyValue, MessageFields } from './otlp-message.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
/** Fields of KeyValue, AnyValue and ArrayValue (common.proto). */
const KEY = 1;
const VALUE = 2;
const STRING_VALUE = 1;
const BOOL_VALUE = 2;
const INT_VALUE = 3;
const DOUBLE_VALUE = 4;
const ARRAY_VALUE = 5;
const ARRAY_VALUES = 1;
/** Characters of a text whose length is one byte. */
const SHORT = 0x7f;
const MAX_SMALL = 0x7fff_ffff;

/**
 * Protobuf of a message in the shape of its JSON encoding. Fields are written in the order of `fields`; undefined ones and
 * defaults of enums are left out. https://protobuf.dev/programming-guides/encoding/
 */
export function encodeProtobuf(message: object, fields: MessageFields): Buffer {
  const writer = new ProtobufWriter();
  writer.message(message, fields);
  return writer.bytes();
}

/** Of a number of eight bytes, little-endian on every machine that Node runs on. */
const EIGHT = new Uint8Array(8);
const DOUBLE = new Float64Array(EIGHT.buffer);
const INTEGER = new BigUint64Array(EIGHT.buffer);

class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(4096);
  #end = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }

  message(message: object, fields: MessageFields): void {
    const values = message as Readonly<Record<string, unknown>>;
    for (const name in fields) {
      const value = values[name];
      if (value === undefined) continue;
      const [number, kind] = fields[name]!;
      if (typeof kind === 'function') {
        for (const one of Array.isArray(value) ? value : [value]) this.#nested(number, one, kind());
      } else this.#scalar(number, kind, value as never);
    }
  }

  #scalar(number: number, kind: Exclude<MessageFields[string][1], () => unknown>, value: never): void {
    if (kind === 'string') this.#string(number, value);
    else if (kind === 'hex') this.#hex(number, value);
    else if (kind === 'attributes') this.#attributes(number, value);
    else if (kind === 'bool' || kind === 'enum') this.#number(number, Number(value));
    else if (kind === 'int64') this.#int64(number, value);
    else if (kind === 'doubles') this.#packed(number, value, (one: number) => this.#double(one));
    else if (kind === 'fixed64s') this.#packed(number, value, (one: string) => this.#fixed64(one));
    else {
      this.#tag(number, FIXED64);
      if (kind === 'double') this.#double(value);
      else this.#fixed64(value);
    }
  }

  /** Most of what a span holds: written without looking up fields, at a third of the cost (bench: tracing). */
  #attributes(number: number, attributes: readonly KeyValue[]): void {
    for (const { key, value } of attributes) {
      const start = this.#begin(number);
      this.#string(KEY, key);
      const valueStart = this.#begin(VALUE);
      this.#anyValue(value);
      this.#lengthBefore(valueStart);
      this.#lengthBefore(start);
    }
  }

  #anyValue({ stringValue, boolValue, intValue, doubleValue, arrayValue }: AnyValue): void {
    if (stringValue !== undefined) this.#string(STRING_VALUE, stringValue);
    else if (boolValue !== undefined) this.#number(BOOL_VALUE, Number(boolValue));
    else if (intValue !== undefined) this.#int64(INT_VALUE, intValue);
    else if (doubleValue !== undefined) {
      this.#tag(DOUBLE_VALUE, FIXED64);
      this.#double(doubleValue);
    } else if (arrayValue !== undefined) {
      const start = this.#begin(ARRAY_VALUE);
      for (const value of arrayValue.values) {
        const valueStart = this.#begin(ARRAY_VALUES);
        this.#anyValue(value);
        this.#lengthBefore(valueStart);
      }
      this.#lengthBefore(start);
    }
  }

  /** Leaves one byte for the length of what follows; says where that begins. */
  #begin(number: number): number {
    this.#tag(number, BYTES);
    this.#room(1);
    this.#end += 1;
    return this.#end;
  }

  #nested(number: number, message: object, fields: MessageFields): void {
    const start = this.#begin(number);
    this.message(message, fields);
    this.#lengthBefore(start);
  }

  #string(number: number, text: string): void {
    this.#tag(number, BYTES);
    if (text.length <= SHORT && this.#ascii(text)) return;
    const length = Buffer.byteLength(text);
    this.#varint(length);
    this.#room(length);
    this.#end += this.#buffer.write(text, this.#end);
  }

  /** Most are names: here they cost a tenth of two calls into native code. False, and nothing written: it is not ASCII. */
  #ascii(text: string): boolean {
    const { length } = text;
    this.#room(1 + length);
    const buffer = this.#buffer;
    const start = this.#end + 1;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[start + index] = code;
    }
    buffer[this.#end] = length;
    this.#end = start + length;
    return true;
  }

  #hex(number: number, text: string): void {
    this.#tag(number, BYTES);
    this.#varint(text.length / 2);
    this.#room(text.length / 2);
    this.#end += this.#buffer.write(text, this.#end, 'hex');
  }

  #number(number: number, value: number): void {
    this.#tag(number, VARINT);
    this.#varint(value);
  }

  #int64(number: number, text: string): void {
    this.#tag(number, VARINT);
    const small = Number(text);
    if (small >= 0 && small <= MAX_SMALL) {
      this.#varint(small);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(text));
    this.#room(10);
    for (; rest > 0x7fn; rest >>= 7n) this.#buffer[this.#end++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#end++] = Number(rest);
  }

  #packed<T>(number: number, values: readonly T[], write: (value: T) => void): void {
    if (values.length === 0) return;
    this.#tag(number, BYTES);
    this.#varint(values.length * 8);
    for (const value of values) write(value);
  }

  #double(value: number): void {
    this.#room(8);
    DOUBLE[0] = value;
    this.#eight();
  }

  #fixed64(value: string): void {
    this.#room(8);
    INTEGER[0] = BigInt(value);
    this.#eight();
  }

  #eight(): void {
    for (let index = 0; index < 8; index += 1) this.#buffer[this.#end + index] = EIGHT[index]!;
    this.#end += 8;
  }

  #tag(number: number, wireType: number): void {
    this.#varint(number * 8 + wireType);
  }

  /** `value`: whole, 0 to 2^31. */
  #varint(value: number): void {
    this.#room(5);
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.#buffer[this.#end++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#end++] = rest;
  }

  /** The length of what was written since `start` goes in front of it, where one byte was left for it. */
  #lengthBefore(start: number): void {
    const length = this.#end - start;
    if (length <= 0x7f) {
      this.#buffer[start - 1] = length;
      return;
    }
    let lengthBytes = 1;
    for (let rest = length; rest > 0x7f; rest >>>= 7) lengthBytes += 1;
    this.#room(lengthBytes);
    this.#buffer.copyWithin(start + lengthBytes - 1, start, this.#end);
    this.#end = start - 1;
    this.#varint(length);
    this.#end = start - 1 + lengthBytes + length;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#end + bytes));
    this.#buffer.copy(wider, 0, 0, this.#end);
    this.#buffer = wider;
  }
}
