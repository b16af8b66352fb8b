import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabelBook } from '../../../src/ledger/labels.ts';
import { PriceTables } from '../../../src/ledger/price-tables.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { WHOLE_RECORD } from '../telemetry/records.ts';

/** Fields of a record that rows name by the hash of their labels, each with another value. */
const OTHERS: Partial<ExchangeRecord> = {
  subject: 'user:other',
  keyId: 'key_other',
  model: 'p/other',
  target: 'p/other',
  provider: 'other',
  stream: false,
  outcome: 'error',
  errorCode: 'other',
  usageSource: 'estimate',
  path: '/other',
  method: 'GET',
  chargesJson: '[]',
  rulesJson: '{}',
  teamsJson: '["other"]',
  metadataJson: '{"env":"other"}',
  priceTable: '{"perExchange":1,"bands":[{"fromInputTokens":0,"rates":{}}]}',
  priceVersion: 'other',
};

for (const [field, value] of Object.entries(OTHERS)) {
  test(`records that differ in ${field} alone have other labels, also one right after the other`, () => {
    const book = new LabelBook(new PriceTables(), ['env']);
    const labels = book.of(WHOLE_RECORD).row.labels;
    assert.notEqual(book.of({ ...WHOLE_RECORD, [field]: value }).row.labels, labels);
    assert.equal(book.of(WHOLE_RECORD).row.labels, labels);
  });
}
