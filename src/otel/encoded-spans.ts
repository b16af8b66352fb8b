import { Buffer } from 'node:buffer';
import { ProtobufWriter } from './protobuf-writer.ts';
import type { AttributeSink, GroupPart, SpanHead, SpanSink, SpanStatus } from './span-sink.ts';

/** Fields of Span and Status: https://github.com/open-telemetry/opentelemetry-proto (trace.proto, v1). */
const TRACE_ID = 1;
const SPAN_ID = 2;
const PARENT_SPAN_ID = 4;
const NAME = 5;
const KIND = 6;
const START = 7;
const END = 8;
const ATTRIBUTES = 9;
const STATUS = 15;
const STATUS_MESSAGE = 2;
const STATUS_CODE = 3;
/** Spans are written one behind another into memory of so many bytes: some forty. */
const BLOCK_BYTES = 65_536;
/** Callers and their metadata are without number: the memory for them is bounded. */
const MAX_GROUPS = 1_024;

/** Encoded attributes by their parts, one after the other. */
type Groups = Map<GroupPart, Groups | Buffer>;

/**
 * Spans as protobuf, written field by field: objects for their attributes, and these encoded, take six times as long
 * (bench: tracing).
 */
export class EncodedSpans implements SpanSink {
  readonly #writer = new ProtobufWriter(BLOCK_BYTES);
  #groups: Groups = new Map();
  #groupCount = 0;
  #spans: Buffer[] = [];

  /** Those that ended since the last call, each a message of its own. */
  take(): Buffer[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  begin({ traceId, spanId, parentSpanId, name, kind, startMs, endMs }: SpanHead): this {
    const writer = this.#writer;
    writer.clear();
    writer.bytes(TRACE_ID, traceId);
    writer.bytes(SPAN_ID, spanId);
    if (parentSpanId !== undefined) writer.bytes(PARENT_SPAN_ID, parentSpanId);
    writer.string(NAME, name);
    writer.number(KIND, kind);
    writer.nanoseconds(START, startMs);
    writer.nanoseconds(END, endMs);
    return this;
  }

  end(status: SpanStatus | undefined): void {
    const writer = this.#writer;
    if (status !== undefined) {
      const start = writer.begin(STATUS);
      if (status.message !== undefined) writer.string(STATUS_MESSAGE, status.message);
      writer.number(STATUS_CODE, status.code);
      writer.close(start);
    }
    this.#spans.push(writer.take());
  }

  group(parts: readonly GroupPart[], write: (into: AttributeSink) => void): this {
    const writer = this.#writer;
    const known = this.#knownGroup(parts);
    if (known !== undefined) {
      writer.raw(known);
      return this;
    }
    const { length } = writer;
    write(this);
    this.#keepGroup(parts, Buffer.from(writer.written.subarray(length)));
    return this;
  }

  #knownGroup(parts: readonly GroupPart[]): Buffer | undefined {
    let level: Groups | Buffer | undefined = this.#groups;
    for (const part of parts) level = level instanceof Map ? level.get(part) : undefined;
    return level instanceof Map ? undefined : level;
  }

  #keepGroup(parts: readonly GroupPart[], bytes: Buffer): void {
    if (this.#groupCount >= MAX_GROUPS) {
      this.#groups = new Map();
      this.#groupCount = 0;
    }
    this.#groupCount += 1;
    let level = this.#groups;
    for (const part of parts.slice(0, -1)) {
      const next = level.get(part);
      if (next instanceof Map) level = next;
      else {
        const made: Groups = new Map();
        level.set(part, made);
        level = made;
      }
    }
    level.set(parts.at(-1), bytes);
  }

  text(key: string, value: string | undefined): this {
    if (value !== undefined) this.#writer.textAttribute(ATTRIBUTES, key, value);
    return this;
  }

  texts(key: string, values: readonly string[]): this {
    if (values.length > 0) this.#writer.textsAttribute(ATTRIBUTES, key, values);
    return this;
  }

  whole(key: string, value: number | undefined): this {
    if (value !== undefined) this.#writer.wholeAttribute(ATTRIBUTES, key, Math.round(value));
    return this;
  }

  double(key: string, value: number | undefined): this {
    if (value !== undefined) this.#writer.doubleAttribute(ATTRIBUTES, key, value);
    return this;
  }

  bool(key: string, value: boolean): this {
    this.#writer.boolAttribute(ATTRIBUTES, key, value);
    return this;
  }
}
