import type { Buffer } from 'node:buffer';

/** Labels, mostly the same objects each time. */
export type GroupPart = string | boolean | undefined;

/** Takes attributes that are known; those that are not are left out. */
export interface AttributeSink {
  text(key: string, value: string | undefined): this;
  texts(key: string, values: readonly string[]): this;
  /** Rounded. */
  whole(key: string, value: number | undefined): this;
  double(key: string, value: number | undefined): this;
  bool(key: string, value: boolean): this;
  /** Attributes that many spans have, and that follow from `parts` alone. */
  group(parts: readonly GroupPart[], write: (into: AttributeSink) => void): this;
}

/** What a span begins with. Ids are overwritten when it has begun; times are milliseconds since the Unix epoch. */
export interface SpanHead {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
}

export interface SpanStatus {
  readonly code: number;
  readonly message?: string;
}

/** Takes spans one after the other: the head of each, its attributes, its end. */
export interface SpanSink extends AttributeSink {
  begin(head: SpanHead): this;
  /** `status` undefined: it is no failure. */
  end(status: SpanStatus | undefined): void;
}
