import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { RecordBatcher } from '../../../src/telemetry/record-batch.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import { fullRecord, plainRecord } from './records.ts';

/** Undefined and absent are the same to a reader of a record. */
function withoutUndefined(record: ExchangeRecord): unknown {
  return JSON.parse(JSON.stringify(record));
}

test('a record arrives as it was sent, every field, and unknown stays unknown', () => {
  const frames: Uint8Array[] = [];
  const batcher = new RecordBatcher({ send: (frame) => frames.push(frame) });
  const sent = [
    plainRecord(),
    fullRecord({ usage: { inputTokens: 1, cacheReadInputTokens: 0 } }),
    plainRecord({ errorDetail: 'ünïcode “quotes” 🙂 \u0000' }),
  ];
  for (const record of sent) batcher.add(record);
  batcher.flush();
  const received = frames.flatMap((frame) => new RecordFrame(frame).records());
  assert.deepEqual(received.map(withoutUndefined), sent.map(withoutUndefined));
  assert.equal(received[0]!.usage, undefined);
  assert.equal(received[1]!.usage?.cacheCreationInputTokens, undefined);
  assert.equal(received[1]!.usage?.cacheReadInputTokens, 0);
});

test('a frame owns its memory: it is transferred, and the next frame is not disturbed', async () => {
  const { port1, port2 } = new MessageChannel();
  const lengths: number[] = [];
  const batcher = new RecordBatcher({
    send: (frame) => {
      port1.postMessage(frame, [frame.buffer]);
      lengths.push(frame.byteLength);
    },
  });
  batcher.add(fullRecord({ id: 'first' }));
  batcher.flush();
  batcher.add(fullRecord({ id: 'second' }));
  const received: Uint8Array[] = [];
  port2.on('message', (frame) => received.push(frame));
  batcher.flush();
  while (received.length < 2) await once(port2, 'message');
  assert.deepEqual(lengths, [0, 0]);
  assert.deepEqual(
    received.map((frame) => new RecordFrame(frame).records()[0]!.id),
    ['first', 'second'],
  );
  port1.close();
});

test('a record waits 10 ms at most, and a full frame does not wait', async () => {
  const sizes: number[] = [];
  let sent = () => {};
  const batcher = new RecordBatcher({
    recordsPerFrame: 4,
    send: (frame) => {
      sizes.push(new RecordFrame(frame).length);
      sent();
    },
  });
  for (let count = 0; count < 5; count++) batcher.add(plainRecord());
  assert.deepEqual(sizes, [4]);
  const begin = performance.now();
  await new Promise<void>((resolve) => {
    sent = resolve;
  });
  assert.deepEqual(sizes, [4, 1]);
  assert.ok(performance.now() - begin < 1_000);
});

test('a record that ended long after the first of its frame does not wait for a timer that is late', () => {
  const sizes: number[] = [];
  const batcher = new RecordBatcher({ send: (_frame, records) => sizes.push(records) });
  const { startedAt } = plainRecord();
  for (const ms of [0, 9, 10, 11]) batcher.add(plainRecord({ startedAt: startedAt + ms }));
  assert.deepEqual([sizes, batcher.waiting], [[3], 1]);
  batcher.flush();
});

test('records wait up to a bound while the receiver is behind, and the rest is counted', async () => {
  let ready = false;
  let received = 0;
  const batcher = new RecordBatcher({
    recordsPerFrame: 2,
    maxWaiting: 5,
    flushAfterMs: 1,
    ready: () => ready,
    send: (frame) => {
      received += new RecordFrame(frame).length;
    },
  });
  for (let count = 0; count < 8; count++) batcher.add(plainRecord());
  assert.equal(received, 0);
  assert.equal(batcher.dropped, 3);
  ready = true;
  while (received < 5) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(received, 5);
  batcher.add(plainRecord());
  batcher.flush();
  assert.equal(received, 6);
});
