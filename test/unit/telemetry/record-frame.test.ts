import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import { keptRecord } from '../../../src/telemetry/exchange-record.ts';
import { type FrameColumns, NUMBER, NUMBERS, packr, TEXT, TEXTS } from '../../../src/telemetry/frame-columns.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import { fullRecord, plainRecord } from './records.ts';

test('a view shows each record in its turn, and only a kept record stays', () => {
  const sent = [fullRecord({ id: 'a', requestId: 'a' }), plainRecord({ id: 'b', requestId: 'b', status: 429 })];
  const frame = new RecordFrame(encodeBatch(sent));
  const views = [...frame];
  assert.equal(views[0], views[1], 'one view');
  const kept = Array.from(frame, keptRecord);
  assert.deepEqual(
    kept.map(({ id, status, usage }) => [id, status, usage?.inputTokens]),
    [
      ['a', 200, 100],
      ['b', 429, undefined],
    ],
  );
});

test('two readers of one frame do not disturb each other', () => {
  const frame = new RecordFrame(encodeBatch([plainRecord({ id: 'a' }), plainRecord({ id: 'b' })]));
  const pairs: string[] = [];
  for (const outer of frame) for (const inner of frame) pairs.push(outer.id + inner.id);
  assert.deepEqual(pairs, ['aa', 'ab', 'ba', 'bb']);
});

test('a frame of an older build is read, and fields that it lacks are unknown', () => {
  const records = [fullRecord({ clientJson: '{}' }), plainRecord()];
  const columns: FrameColumns = packr.unpack(encodeBatch(records));
  const rows = (bytes: Uint8Array, width: number, kept: number): Uint8Array =>
    Buffer.concat(records.map((_, row) => bytes.subarray(row * width, row * width + kept)));
  // As it was before these two were added.
  const older = packr.pack({
    ...columns,
    numbers: rows(columns.numbers, NUMBERS * 8, NUMBER.reservedNanoUsd * 8),
    references: rows(columns.references, TEXTS * 2, TEXT.priceTable * 2),
  });
  const [full, plain] = new RecordFrame(older).records();
  assert.deepEqual(
    [full?.reservedNanoUsd, full?.priceTable, full?.unknownCost, full?.clientJson, full?.usage?.audioOutputTokens],
    [undefined, undefined, undefined, undefined, 4],
  );
  assert.equal(full?.priceVersion, 'account');
  assert.equal(plain?.bytesOut, 200);
});

test('an origin that an older build wrote tells no rare counts', () => {
  const columns: FrameColumns = packr.unpack(encodeBatch([fullRecord()]));
  const texts = columns.texts.map((text) =>
    text.startsWith('openai\n') ? text.split('\n').slice(0, 3).join('\n') : text,
  );
  const [usage] = new RecordFrame(packr.pack({ ...columns, texts })).records().map((record) => record.usage);
  assert.deepEqual([usage?.providerCostUsd, usage?.rare, usage?.servedAs], [0.00125, undefined, undefined]);
});

test('bytes that are no frame are refused', () => {
  const whole: FrameColumns = packr.unpack(encodeBatch([fullRecord(), plainRecord()]));
  const { numbers, references } = whole;
  const others = [
    { ids: 'a' },
    'a',
    // These are of another version: they must not be found out in the middle of a batch.
    { ...whole, ids: `${whole.ids}\nb` },
    { ...whole, numbers: numbers.subarray(8) },
    { ...whole, numbers: numbers.subarray(numbers.length / 2) },
    // Ten texts a record: the oldest version has one more.
    { ...whole, references: references.subarray(0, 40) },
  ];
  for (const bytes of [Buffer.from(''), Buffer.from('rubbish'), ...others.map((each) => packr.pack(each))])
    assert.throws(() => new RecordFrame(bytes));
});
