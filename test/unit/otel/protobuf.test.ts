import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { EncodedSpans } from '../../../src/otel/encoded-spans.ts';
import { ListedSpans } from '../../../src/otel/listed-spans.ts';
import { METRICS_FIELDS, TRACES_FIELDS } from '../../../src/otel/otlp-message.ts';
import { encodeProtobuf } from '../../../src/otel/protobuf.ts';
import type { SpanSink } from '../../../src/otel/span-sink.ts';
import { fieldsOf, protobufTree } from './protobuf-tree.ts';

const long = 'ein Schlüssel ✓'.repeat(20);
const plain = {
  text: long,
  'ein Schlüssel': 'ein Schlüssel',
  letters: 'x'.repeat(121),
  empty: '',
  yes: true,
  no: false,
  whole: 300,
  zero: 0,
  negative: -5,
  byte: 127,
  word: 2 ** 31,
  large: Number.MAX_SAFE_INTEGER,
  part: 0.125,
  list: ['a', 'b'],
};
const [traceId, spanId, parentSpanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', '00f067aa0ba902b7'];
const [name, startMs, endMs] = ['POST /chat/completions', 1_700_000_000_123.456, 1_700_000_001_000];
const status = { message: 'rate_limited', code: 2 };

/** Twice: what many spans have is written once and copied then. */
function writeTwice(into: SpanSink): void {
  for (let time = 0; time < 2; time += 1) {
    const [trace, own, parent] = [traceId, spanId, parentSpanId].map((id) => Buffer.from(id, 'hex'));
    into
      .begin({ traceId: trace!, spanId: own!, parentSpanId: parent!, name, kind: 2, startMs, endMs })
      .group(['a', undefined, true], (group) => {
        group.text('text', long).text('absent', undefined).text('ein Schlüssel', 'ein Schlüssel');
      })
      .text('letters', plain.letters)
      .text('empty', '')
      .bool('yes', true)
      .bool('no', false)
      .whole('whole', 300.2)
      .whole('zero', 0)
      .whole('negative', -5)
      .whole('byte', 127)
      .whole('word', plain.word)
      .whole('large', plain.large)
      .whole('absent', undefined)
      .double('part', 0.125)
      .texts('list', plain.list)
      .texts('none', [])
      .end(status);
  }
}

function encoded(): Buffer[] {
  const into = new EncodedSpans();
  writeTwice(into);
  return into.take();
}

const context = (spanId: string) => ({ traceId, spanId, traceFlags: 1 });

const textsOf = ({ values }: { values: { stringValue: string }[] }) => values.map(({ stringValue }) => stringValue);

describe('spans as protobuf', () => {
  it("spans are the fields that OpenTelemetry's own serializer writes", () => {
    const resource = { attributes: { 'service.name': 'sluice' }, merge: () => resource, getRawAttributes: () => [] };
    const readable = {
      name,
      kind: 1,
      spanContext: () => context(spanId),
      parentSpanContext: context(parentSpanId),
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
            scopeSpans: [{ scope: { name: 'sluice', version: '1.2.3' }, spans: encoded() }],
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
    const [first, second] = fieldsOf(ours, 1, 2, 2).map(protobufTree);
    const their = protobufTree(fieldsOf(theirs, 1, 2, 2)[0]!);
    // What theirs tells besides: how much was dropped (nothing), and flags.
    const beside = new Set([10, 12, 14, 16]);
    assert.deepEqual(
      first,
      their.filter(([field]) => !beside.has(field)),
    );
    assert.deepEqual(second, first);
  });

  it('spans in JSON say the same', () => {
    const into = new ListedSpans();
    writeTwice(into);
    const [first, second] = into.spans;
    assert.deepEqual(second, first);
    const { attributes, ...span } = first!;
    const times = { startTimeUnixNano: '1700000000123456000', endTimeUnixNano: '1700000001000000000' };
    assert.deepEqual(span, { traceId, spanId, parentSpanId, name, kind: 2, ...times, status });
    const values = attributes.map(({ key, value }) => {
      const [kind, written] = Object.entries(value)[0]!;
      return [key, kind === 'intValue' ? Number(written) : kind === 'arrayValue' ? textsOf(written) : written];
    });
    assert.deepEqual(Object.fromEntries(values), plain);
  });

  it('a thousand spans are each what it is, wherever the memory that they are written to ends', () => {
    const into = new EncodedSpans();
    for (let time = 0; time < 500; time += 1) writeTwice(into);
    const spans = into.take();
    assert.equal(spans.length, 1_000);
    for (const span of spans) assert.deepEqual(span, spans[0]);
    assert.deepEqual(into.take(), []);
  });

  it('a message of any size has the lengths of what it holds', () => {
    for (const size of [0, 1, 127, 128, 16_383, 16_384, 2_097_152]) {
      const name = 'x'.repeat(size);
      const bytes = encodeProtobuf({ resourceMetrics: [{ scopeMetrics: [{ scope: { name } }] }] }, METRICS_FIELDS);
      assert.equal(fieldsOf(bytes, 1, 2, 1, 1)[0]?.toString(), name);
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
