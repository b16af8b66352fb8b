import assert from 'node:assert/strict';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../src/telemetry/exchange-record.ts';
import { RecordBatcher } from '../../src/telemetry/record-batch.ts';
import { RecordFrame } from '../../src/telemetry/record-frame.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { answered, refused } from '../inputs/exchange-records.ts';

const FULL_FRAME = 512;

export const inputs = {
  /** What 10 ms of a busy thread are, with every fourth one refused. */
  records: Array.from({ length: FULL_FRAME }, (_, i) => (i % 4 === 3 ? refused(i) : answered(i))),
};

const { records } = inputs;
const frame = encodeBatch(records);

export const subject = subjectOf([
  encode('encode a record, in frames of 512', records),
  encode('encode a record, in frames of 8', records.slice(0, 8)),
  task({
    name: 'decode a record, in frames of 512',
    operations: records.length,
    run: () => new RecordFrame(frame).records(),
    check: assertSame,
  }),
  batcher(),
]);

function encode(name: string, batch: readonly ExchangeRecord[]): BenchTask {
  return task({
    name,
    operations: batch.length,
    run: () => encodeBatch(batch),
    check: (bytes) => assertSame(new RecordFrame(bytes).records(), batch),
  });
}

/** What an exchange pays on the relay thread: `add`, and its share of the frame. */
function batcher(): BenchTask {
  let sent: Uint8Array[] = [];
  const batch = new RecordBatcher({
    send: (bytes) => sent.push(bytes),
  });
  return task({
    name: 'add a record to the batcher, encoding included',
    operations: records.length,
    run: () => {
      sent = [];
      for (const record of records) batch.add(record);
      batch.flush();
      return sent;
    },
    check: (frames) => assertSame(frames.flatMap((bytes) => new RecordFrame(bytes).records())),
  });
}

/** Undefined fields may be there or not. */
function assertSame(found: readonly ExchangeRecord[], expected: readonly ExchangeRecord[] = records): void {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(found), plain(expected));
}
