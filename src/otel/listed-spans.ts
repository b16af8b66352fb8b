import type { AnyValue, KeyValue, Span } from './otlp-message.ts';
import type { AttributeSink, GroupPart, SpanHead, SpanSink, SpanStatus } from './span-sink.ts';

/** Attributes as objects. */
export class ListedAttributes implements AttributeSink {
  list: KeyValue[] = [];

  text(key: string, value: string | undefined): this {
    return value === undefined ? this : this.#add(key, { stringValue: value });
  }

  texts(key: string, values: readonly string[]): this {
    if (values.length === 0) return this;
    return this.#add(key, { arrayValue: { values: values.map((stringValue) => ({ stringValue })) } });
  }

  whole(key: string, value: number | undefined): this {
    return value === undefined ? this : this.#add(key, { intValue: String(Math.round(value)) });
  }

  double(key: string, value: number | undefined): this {
    return value === undefined ? this : this.#add(key, { doubleValue: value });
  }

  bool(key: string, value: boolean): this {
    return this.#add(key, { boolValue: value });
  }

  group(_parts: readonly GroupPart[], write: (into: AttributeSink) => void): this {
    write(this);
    return this;
  }

  #add(key: string, value: AnyValue): this {
    this.list.push({ key, value });
    return this;
  }
}

/** Spans as objects, for OTLP in JSON and for whoever looks at their attributes. */
export class ListedSpans extends ListedAttributes implements SpanSink {
  readonly spans: Span[] = [];
  #head: Omit<Span, 'attributes' | 'status'> | undefined;

  begin({ traceId, spanId, parentSpanId, name, kind, startMs, endMs }: SpanHead): this {
    this.#head = {
      traceId: traceId.toString('hex'),
      spanId: spanId.toString('hex'),
      ...(parentSpanId !== undefined && { parentSpanId: parentSpanId.toString('hex') }),
      name,
      kind,
      startTimeUnixNano: nanoseconds(startMs),
      endTimeUnixNano: nanoseconds(endMs),
    };
    this.list = [];
    return this;
  }

  end(status: SpanStatus | undefined): void {
    this.spans.push({ ...this.#head!, attributes: this.list, ...(status && { status }) });
  }
}

/** Milliseconds since the Unix epoch, to the microsecond that a double holds. */
function nanoseconds(epochMs: number): string {
  return `${BigInt(Math.round(epochMs * 1000)) * 1000n}`;
}
