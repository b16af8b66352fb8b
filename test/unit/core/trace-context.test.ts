import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localHeaders } from '../../../src/core/local-exchange.ts';
import {
  attemptIdBytes,
  continueTrace,
  ownIdBytes,
  ownIds,
  ownShare,
  shareOf,
} from '../../../src/core/trace-context.ts';

const IDS = 20_000;
const ids = Array.from({ length: IDS }, (_, index) => `ex_mx1jtaf11f553316c3e51${index.toString(16).padStart(5, '0')}`);

function attemptSpanId(id: string, attempt: number): string {
  const bytes = Buffer.alloc(8);
  attemptIdBytes(id, attempt, bytes);
  return bytes.toString('hex');
}

test('a provider is told the ids that the spans of its exchange have', () => {
  for (const id of ids.slice(0, 1_000)) {
    const bytes = Buffer.alloc(24);
    ownIdBytes(id, bytes);
    const { traceId, spanId } = ownIds(id);
    assert.equal(bytes.toString('hex'), traceId + spanId);
    const headers = localHeaders({});
    continueTrace(headers, id);
    assert.equal(headers.traceparent, `00-${traceId}-${spanId}-01`);
  }
});

test('ids of traces and spans that follow from neighbouring exchanges all differ', () => {
  const traces = new Set(ids.map((id) => ownIds(id).traceId));
  assert.equal(traces.size, IDS);
  const spans = ids.flatMap((id) => [ownIds(id).spanId, attemptSpanId(id, 1), attemptSpanId(id, 2)]);
  assert.equal(new Set(spans).size, 3 * IDS);
  for (const trace of traces) assert.match(trace, /^[0-9a-f]{32}$/);
  for (const span of spans) assert.match(span, /^[0-9a-f]{16}$/);
});

test('each bit of a trace id is set in half of them, however alike the ids of their exchanges are', () => {
  const counts = new Array<number>(128).fill(0);
  for (const id of ids) {
    const bits = BigInt(`0x${ownIds(id).traceId}`);
    for (let bit = 0; bit < 128; bit += 1) counts[bit]! += Number((bits >> BigInt(bit)) & 1n);
  }
  // Five standard deviations.
  const bound = 5 * Math.sqrt(IDS / 4);
  for (const [bit, count] of counts.entries()) assert.ok(Math.abs(count - IDS / 2) < bound, `bit ${bit}: ${count}`);
});

test('a share of the exchanges is chosen as every reader of their trace ids would choose', () => {
  for (const share of [0.01, 0.1, 0.5]) {
    const chosen = ids.filter((id) => ownShare(id) < share).length;
    assert.ok(Math.abs(chosen - share * IDS) < 5 * Math.sqrt(IDS * share * (1 - share)), `${share}: ${chosen}`);
  }
  for (const id of ids.slice(0, 1_000)) assert.equal(ownShare(id), shareOf(ownIds(id).traceId));
});
