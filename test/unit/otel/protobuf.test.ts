import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { type KeyValue, METRICS_FIELDS, type Span, TRACES_FIELDS } from '../../../src/otel/otlp-message.ts';
import { encodeProtobuf } from '../../../src/otel/protobuf.ts';
import { fieldsOf, protobufTree } from './protobuf-tree.ts';

const attributes: KeyValue[] = [
  { key: 'text', value: { stringValue: 'ein Schlüssel ✓'.repeat(20) } },
  { key: 'empty', value: { stringValue: '' } },
  { key: 'yes', value: { boolValue: true } },
  { key: 'no', value: { boolValue: false } },
  { key: 'whole', value: { intValue: '300' } },
  { key: 'zero', value: { intValue: '0' } },
  { key: 'negative', value: { intValue: '-5' } },
  { key: 'large', value: { intValue: '9007199254740991' } },
  { key: 'part', value: { doubleValue: 0.125 } },
  { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
];

const plain = {
  text: 'ein Schlüssel ✓'.repeat(20),
  empty: '',
  yes: true,
  no: false,
  whole: 300,
  zero: 0,
  negative: -5,
  large: 9007199254740991,
  part: 0.125,
  list: ['a', 'b'],
};

const span: Span = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  name: 'POST /chat/completions',
  kind: 2,
  startTimeUnixNano: '1700000000123456000',
  endTimeUnixNano: '1700000001000000000',
  attributes,
  status: { message: 'rate_limited', code: 2 },
};

const context = (spanId: string) => ({ traceId: span.traceId, spanId, traceFlags: 1 });

describe('spans as protobuf', () => {
  it("spans are the fields that OpenTelemetry's own serializer writes", () => {
    const resource = { attributes: { 'service.name': 'sluice' }, merge: () => resource, getRawAttributes: () => [] };
    const readable = {
      name: span.name,
      kind: 1,
      spanContext: () => context(span.spanId),
      parentSpanContext: context(span.parentSpanId!),
      startTime: [1700000000, 123456000],
      endTime: [1700000001, 0],
      status: { code: 2, message: 'rate_limited' },
      attributes: plain,
      links: [],
      events: [],
      duration: [0, 0],
      ended: true,
      resource,
      instrumentationScope: { name: 'sluice', version: '1.2.3' },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
    const theirs = Buffer.from(ProtobufTraceSerializer.serializeRequest([readable as never])!);
    const ours = encodeProtobuf(
      {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'sluice' } }] },
            scopeSpans: [{ scope: { name: 'sluice', version: '1.2.3' }, spans: [span] }],
          },
        ],
      },
      TRACES_FIELDS,
    );
    for (const path of [
      [1, 1, 1],
      [1, 2, 1],
    ]) {
      assert.deepEqual(
        fieldsOf(ours, ...path).map(protobufTree),
        fieldsOf(theirs, ...path).map(protobufTree),
        `${path}`,
      );
    }
    const [own, their] = [ours, theirs].map((bytes) => protobufTree(fieldsOf(bytes, 1, 2, 2)[0]!));
    // What theirs tells besides: how much was dropped (nothing), and flags.
    const beside = new Set([10, 12, 14, 16]);
    assert.deepEqual(
      own,
      their?.filter(([field]) => !beside.has(field)),
    );
  });

  it('a message of any size has the lengths of what it holds', () => {
    for (const size of [0, 1, 127, 128, 16_383, 16_384, 2_097_152]) {
      const name = 'x'.repeat(size);
      const bytes = encodeProtobuf({ resourceSpans: [{ scopeSpans: [{ spans: [{ name }] }] }] }, TRACES_FIELDS);
      assert.equal(fieldsOf(bytes, 1, 2, 2, 5)[0]?.toString(), name);
    }
  });

  it('histograms have packed counts and bounds', () => {
    const point = { startTimeUnixNano: '1', timeUnixNano: '2', count: '3', sum: 4.5, bucketCounts: ['1', '2'] };
    const dataPoints = [{ ...point, explicitBounds: [0.5], attributes: [] }];
    const metric = { name: 'm', histogram: { dataPoints, aggregationTemporality: 2 } };
    const bytes = encodeProtobuf({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] }, METRICS_FIELDS);
    const [tree] = fieldsOf(bytes, 1, 2, 2, 9, 1).map(protobufTree);
    assert.deepEqual(tree, [
      [2, 1n],
      [3, 2n],
      [4, 3n],
      [5, new DataView(Float64Array.of(4.5).buffer).getBigUint64(0, true)],
      [6, '01000000000000000200000000000000'],
      [7, '000000000000e03f'],
    ]);
  });
});
