import type { Buffer } from 'node:buffer';
import type { KeyValue, MessageFields } from './otlp-message.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

const FIRST_BYTES = 4_096;
/** Tag and length. */
const MAX_FIELD_HEAD_BYTES = 10;

/**
 * Protobuf of a message in the shape of its JSON encoding. Fields are written in the order of `fields`; undefined ones and
 * defaults of enums are left out.
 * https://protobuf.dev/programming-guides/encoding/
 */
export function encodeProtobuf(message: object, fields: MessageFields): Buffer {
  const writer = new ProtobufWriter(FIRST_BYTES);
  writeMessage(writer, message, fields);
  return writer.written;
}

function writeMessage(writer: ProtobufWriter, message: object, fields: MessageFields): void {
  const values = message as Readonly<Record<string, unknown>>;
  for (const name in fields) {
    const value = values[name];
    if (value === undefined) continue;
    const [number, kind] = fields[name]!;
    if (typeof kind !== 'function') writeScalar(writer, number, kind, value as never);
    else for (const one of Array.isArray(value) ? value : [value]) writeNested(writer, number, one, kind());
  }
}

function writeNested(writer: ProtobufWriter, number: number, message: object, fields: MessageFields): void {
  const start = writer.begin(number);
  writeMessage(writer, message, fields);
  writer.close(start);
}

function writeScalar(
  writer: ProtobufWriter,
  number: number,
  kind: Exclude<MessageFields[string][1], () => unknown>,
  value: never,
): void {
  if (kind === 'attributes') writeAttributes(writer, number, value);
  else if (kind === 'encoded') writeEncoded(writer, number, value);
  else if (kind === 'bool' || kind === 'enum') writer.number(number, Number(value));
  else writer[kind](number, value);
}

function writeEncoded(writer: ProtobufWriter, number: number, messages: readonly Uint8Array[]): void {
  writer.expect(messages.reduce((sum, { length }) => sum + length + MAX_FIELD_HEAD_BYTES, 0));
  for (const bytes of messages) writer.bytes(number, bytes);
}

function writeAttributes(writer: ProtobufWriter, number: number, attributes: readonly KeyValue[]): void {
  for (const { key, value } of attributes) {
    const { stringValue, boolValue, intValue, doubleValue, arrayValue } = value;
    if (stringValue !== undefined) writer.textAttribute(number, key, stringValue);
    else if (boolValue !== undefined) writer.boolAttribute(number, key, boolValue);
    else if (intValue !== undefined) writer.wholeAttribute(number, key, Number(intValue));
    else if (doubleValue !== undefined) writer.doubleAttribute(number, key, doubleValue);
    else if (arrayValue !== undefined)
      writer.textsAttribute(
        number,
        key,
        arrayValue.values.map(({ stringValue: text }) => text),
      );
  }
}
