import type { MessageFields } from './otlp-message.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/**
 * Protobuf of a message in the shape of its JSON encoding. Fields are written in the order of `fields`; undefined ones and
 * defaults of enums are left out. https://protobuf.dev/programming-guides/encoding/
 */
export function encodeProtobuf(message: object, fields: MessageFields): Buffer {
  const writer = new ProtobufWriter();
  writer.message(message, fields);
  return writer.bytes();
}

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
    else if (kind === 'bool' || kind === 'enum') this.#number(number, Number(value));
    else if (kind === 'int64') this.#int64(number, BigInt(value));
    else if (kind === 'doubles') this.#packed(number, value, (one: number) => this.#double(one));
    else if (kind === 'fixed64s') this.#packed(number, value, (one: string) => this.#fixed64(one));
    else {
      this.#tag(number, FIXED64);
      if (kind === 'double') this.#double(value);
      else this.#fixed64(value);
    }
  }

  #nested(number: number, message: object, fields: MessageFields): void {
    this.#tag(number, BYTES);
    const start = this.#end;
    this.message(message, fields);
    this.#lengthBefore(start);
  }

  #string(number: number, text: string): void {
    this.#tag(number, BYTES);
    const length = Buffer.byteLength(text);
    this.#varint(length);
    this.#room(length);
    this.#end += this.#buffer.write(text, this.#end);
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

  #int64(number: number, value: bigint): void {
    this.#tag(number, VARINT);
    let rest = BigInt.asUintN(64, value);
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
    this.#end = this.#buffer.writeDoubleLE(value, this.#end);
  }

  #fixed64(value: string): void {
    this.#room(8);
    this.#end = this.#buffer.writeBigUInt64LE(BigInt(value), this.#end);
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

  /** The length of what was written since `start` goes in front of it. */
  #lengthBefore(start: number): void {
    const length = this.#end - start;
    let lengthBytes = 1;
    for (let rest = length; rest > 0x7f; rest >>>= 7) lengthBytes += 1;
    this.#room(lengthBytes);
    this.#buffer.copyWithin(start + lengthBytes, start, this.#end);
    this.#end = start;
    this.#varint(length);
    this.#end = start + lengthBytes + length;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#end + bytes));
    this.#buffer.copy(wider, 0, 0, this.#end);
    this.#buffer = wider;
  }
}
