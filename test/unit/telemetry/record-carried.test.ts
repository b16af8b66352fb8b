import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import { keptRecord, type RecordView } from '../../../src/telemetry/exchange-record.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import { plainRecord, WHOLE_RECORD } from './records.ts';

/*
 * Symptom: the getters of priceVersion, attemptsJson and chargesJson could be deleted, and everything stayed green while
 * ledger and receipts lost those fields. Root cause: the view's class was free to leave optional fields out, and no test
 * compared all of them. The types demand each field now, and here each is followed by its name.
 */

function viewOf(record: RecordView): RecordView {
  const [view] = new RecordFrame(encodeBatch([keptRecord(record)]));
  return view!;
}

const fields = Object.keys(WHOLE_RECORD) as (keyof typeof WHOLE_RECORD)[];
const counts = Object.keys(WHOLE_RECORD.usage) as (keyof typeof WHOLE_RECORD.usage)[];

for (const field of fields) {
  test(`a frame carries the field ${field} of a record, and what is kept of the view holds it`, () => {
    if (field === 'usage') return;
    assert.deepEqual(viewOf(WHOLE_RECORD)[field], WHOLE_RECORD[field]);
    assert.deepEqual(keptRecord(viewOf(WHOLE_RECORD))[field], WHOLE_RECORD[field]);
  });
}

for (const count of counts) {
  test(`a frame carries ${count} of a usage, and what is kept of the view holds it`, () => {
    assert.deepEqual(viewOf(WHOLE_RECORD).usage?.[count], WHOLE_RECORD.usage[count]);
    assert.deepEqual(keptRecord(viewOf(WHOLE_RECORD)).usage?.[count], WHOLE_RECORD.usage[count]);
  });
}

test('no view makes anything up for a record that knows nothing optional', () => {
  const plain = plainRecord();
  const kept = keptRecord(viewOf(plain));
  for (const field of fields) assert.deepEqual(kept[field] || undefined, plain[field] || undefined, field);
  const silent = keptRecord(viewOf(plainRecord({ usage: {}, usageSource: 'provider' }))).usage;
  for (const count of counts) assert.equal(silent?.[count], undefined, count);
});

test('a frame carries the provider and what told the usage of each record, whatever the record before it said', () => {
  const usage = { inputTokens: 1, outputTokens: 2 };
  const records = [
    { ...plainRecord(), provider: 'one', usage, usageSource: 'provider' as const },
    { ...plainRecord(), provider: 'one', usage, usageSource: 'estimate' as const },
    { ...plainRecord(), provider: 'two', usage, usageSource: 'estimate' as const },
    { ...plainRecord(), provider: 'two', usage: { ...usage, providerCostUsd: 0.5 }, usageSource: 'provider' as const },
    {
      ...plainRecord(),
      provider: 'two',
      usage: { ...usage, rare: { webSearchRequests: 1 } },
      usageSource: 'provider' as const,
    },
    { ...plainRecord(), provider: 'two', usage, usageSource: undefined },
    { ...plainRecord(), provider: 'two' },
  ];
  const told = (record: RecordView) => [record.provider, record.usageSource, record.usage?.providerCostUsd];
  const views = Array.from(new RecordFrame(encodeBatch(records)), (view) => told(keptRecord(view)));
  assert.deepEqual(
    views,
    records.map((record) => told(record)),
  );
});
