/**
 * The messages of OTLP as plain objects in the shape of their JSON encoding, and what protobuf needs to know of them.
 * https://opentelemetry.io/docs/specs/otlp/ (JSON encoding: ids in hex, 64-bit integers as text);
 * field numbers: https://github.com/open-telemetry/opentelemetry-proto (v1)
 */
export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  /** Whole, as text. */
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values: { stringValue: string }[] };
}

export interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface Span {
  traceId: string;
  spanId: string;
  traceState?: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  status?: { message?: string; code: number };
}

export interface NumberPoint {
  startTimeUnixNano?: string;
  timeUnixNano: string;
  asDouble: number;
  attributes: KeyValue[];
}

export interface HistogramPoint {
  startTimeUnixNano: string;
  timeUnixNano: string;
  count: string;
  sum: number;
  bucketCounts: string[];
  explicitBounds: number[];
  attributes: KeyValue[];
}

export interface Metric {
  name: string;
  description: string;
  gauge?: { dataPoints: NumberPoint[] };
  sum?: { dataPoints: NumberPoint[]; aggregationTemporality: number; isMonotonic: boolean };
  histogram?: { dataPoints: HistogramPoint[]; aggregationTemporality: number };
}

export interface Resource {
  attributes: KeyValue[];
}

export interface Scope {
  name: string;
  version?: string;
}

export interface TracesMessage {
  resourceSpans: { resource: Resource; scopeSpans: { scope: Scope; spans: readonly (Span | Uint8Array)[] }[] }[];
}

export interface MetricsMessage {
  resourceMetrics: { resource: Resource; scopeMetrics: { scope: Scope; metrics: Metric[] }[] }[];
}

export const SPAN_KIND = { internal: 1, server: 2, client: 3 } as const;
export const STATUS_ERROR = 2;
export const CUMULATIVE = 2;

/** `attributes`: a list of KeyValue. `encoded`: a list of messages that are bytes already. */
type Scalar = 'attributes' | 'encoded' | 'string' | 'bool' | 'enum' | 'double' | 'fixed64' | 'doubles' | 'fixed64s';
/** Name of each field → its number, and its kind or the message it holds (one or several). */
export type MessageFields = { readonly [name: string]: readonly [number, Scalar | (() => MessageFields)] };

const resource: MessageFields = { attributes: [1, 'attributes'] };
const scope: MessageFields = { name: [1, 'string'], version: [2, 'string'] };
const numberPoint: MessageFields = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  asDouble: [4, 'double'],
  attributes: [7, 'attributes'],
};
const histogramPoint: MessageFields = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  bucketCounts: [6, 'fixed64s'],
  explicitBounds: [7, 'doubles'],
  attributes: [9, 'attributes'],
};
const metric: MessageFields = {
  name: [1, 'string'],
  description: [2, 'string'],
  gauge: [5, () => ({ dataPoints: [1, () => numberPoint] })],
  sum: [
    7,
    () => ({ dataPoints: [1, () => numberPoint], aggregationTemporality: [2, 'enum'], isMonotonic: [3, 'bool'] }),
  ],
  histogram: [9, () => ({ dataPoints: [1, () => histogramPoint], aggregationTemporality: [2, 'enum'] })],
};
const scopeSpans: MessageFields = { scope: [1, () => scope], spans: [2, 'encoded'] };
const resourceSpans: MessageFields = { resource: [1, () => resource], scopeSpans: [2, () => scopeSpans] };
const scopeMetrics: MessageFields = { scope: [1, () => scope], metrics: [2, () => metric] };
const resourceMetrics: MessageFields = { resource: [1, () => resource], scopeMetrics: [2, () => scopeMetrics] };

export const TRACES_FIELDS: MessageFields = { resourceSpans: [1, () => resourceSpans] };
export const METRICS_FIELDS: MessageFields = { resourceMetrics: [1, () => resourceMetrics] };
