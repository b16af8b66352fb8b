import assert from 'node:assert/strict';
import type { OtelSettings } from '../../src/config/server/otel.ts';
import type { HeadersOfInterest } from '../../src/core/exchange.ts';
import { localHeaders } from '../../src/core/local-exchange.ts';
import { continueTrace } from '../../src/core/trace-context.ts';
import { EncodedSpans } from '../../src/otel/encoded-spans.ts';
import { exchangeSpans } from '../../src/otel/exchange-spans.ts';
import { ListedSpans } from '../../src/otel/listed-spans.ts';
import { TRACES_FIELDS } from '../../src/otel/otlp-message.ts';
import { encodeProtobuf } from '../../src/otel/protobuf.ts';
import { isSampled } from '../../src/otel/sampling.ts';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import { RecordFrame } from '../../src/telemetry/record-frame.ts';
import { subjectOf, task } from '../harness/subject.ts';
import { answered } from '../inputs/exchange-records.ts';

const FRAME = 64;
const records = Array.from({ length: FRAME }, (_, index) => ({ ...answered(index), outcome: 'ok' as const }));
const frame = encodeBatch(records);
const settings: OtelSettings = {
  names: 'both',
  sampleRatio: 0.1,
  metricsIntervalMs: 60_000,
  maxQueuedSpans: 4096,
  timeoutMs: 10_000,
};
const headers: HeadersOfInterest = localHeaders({});
const encoder = new EncodedSpans();
for (const record of records) exchangeSpans(record, 'both', encoder);
const spans = encoder.take();
const message = {
  resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'sluice' }, spans }] }],
};

/** What tracing adds to an exchange: the first three for each, the others for those that are sampled. */
export const subject = subjectOf([
  task({
    name: 'continue a trace at a provider',
    operations: FRAME,
    run: () => {
      for (const { id } of records) {
        headers.traceparent = undefined;
        continueTrace(headers, id);
      }
      return headers.traceparent;
    },
    check: (traceparent) => assert.match(String(traceparent), /^00-/),
  }),
  task({
    name: 'decode a frame for a record',
    operations: FRAME,
    run: () => new RecordFrame(frame).length,
    check: (length) => assert.equal(length, FRAME),
  }),
  task({
    name: 'choose whether a record is sampled',
    operations: FRAME,
    run: () => {
      let sampled = 0;
      for (const record of records) if (isSampled(record, settings)) sampled += 1;
      return sampled;
    },
    check: (sampled) => assert.ok(sampled < FRAME),
  }),
  task({
    name: 'encode the spans of a record',
    operations: FRAME,
    run: () => {
      for (const record of new RecordFrame(frame)) exchangeSpans(record, 'both', encoder);
      return encoder.take().length;
    },
    check: (made) => assert.equal(made, spans.length),
  }),
  task({
    name: 'list the spans of a record, for JSON',
    operations: FRAME,
    run: () => {
      const into = new ListedSpans();
      for (const record of new RecordFrame(frame)) exchangeSpans(record, 'both', into);
      return into.spans.length;
    },
    check: (made) => assert.equal(made, spans.length),
  }),
  task({
    name: 'put the spans of a record into a message',
    operations: FRAME,
    run: () => encodeProtobuf(message, TRACES_FIELDS),
    check: (bytes) => assert.ok(bytes.length > 0),
  }),
]);
