import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabelBook } from '../../../src/ledger/labels.ts';
import { PriceTables } from '../../../src/ledger/price-tables.ts';
import { createAccessLog } from '../../../src/telemetry/access-log.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import { type ExchangeRecord, keptRecord, type RecordView } from '../../../src/telemetry/exchange-record.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import { addRecords } from '../../support/add-records.ts';
import { WHOLE_RECORD } from './records.ts';

const USUAL: ExchangeRecord = { ...WHOLE_RECORD, requestId: WHOLE_RECORD.id, pending: undefined };

/** What may stand in a field besides what USUAL has there; fields that are not named may be absent. */
const OTHERS: Partial<Record<keyof ExchangeRecord, readonly unknown[]>> = {
  requestId: ['req-1', 'req-2'],
  method: ['GET'],
  path: ['/embeddings'],
  outcome: ['error'],
  status: [201],
  stream: [false],
  attempts: [1],
  thread: [0],
  subject: ['user:other', undefined],
  model: ['openai-main/other', undefined],
  usage: [
    undefined,
    { ...WHOLE_RECORD.usage, rare: undefined },
    { ...WHOLE_RECORD.usage, servedAs: undefined },
    { ...WHOLE_RECORD.usage, providerCostUsd: undefined },
    { inputTokens: 1 },
  ],
  unknownCost: [undefined, { part: 'price' }],
};
const ALWAYS_THERE = new Set(['id', 'startedAt', 'durationMs', 'overheadMs', 'upstreamMs', 'bytesIn', 'bytesOut']);

/** Each record that differs from the usual one in a single field, once and twice, with the usual one around it. */
function neighbours(): ExchangeRecord[] {
  const fields = (Object.keys(WHOLE_RECORD) as (keyof ExchangeRecord)[]).filter((field) => !ALWAYS_THERE.has(field));
  return fields.flatMap((field) =>
    (OTHERS[field] ?? [undefined]).flatMap((value) => {
      const other: ExchangeRecord = { ...USUAL, [field]: value };
      // What was not used has no source.
      if (other.usage === undefined) other.usageSource = undefined;
      return [USUAL, USUAL, other, USUAL, other, other];
    }),
  );
}

const records = neighbours();
const frame = new RecordFrame(encodeBatch(records));

/** The fields of a record that are no numbers of the exchange itself. */
function textsOf({ usage, ...record }: ExchangeRecord): unknown {
  const texts = Object.entries(record).filter(([, value]) => typeof value === 'string' || typeof value === 'object');
  return [texts, usage === undefined, usage?.rare, usage?.servedAs, usage?.providerCostUsd];
}

test('a record is read from its frame as it was written, whatever the one before it has', () => {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(frame.records()), plain(records));
});

test('records that are told to be alike have the same texts, and usual ones that follow each other are told so', () => {
  const seen: { like: number | undefined; record: ExchangeRecord }[] = [];
  for (const view of frame) seen.push({ like: view.like, record: keptRecord(view) });
  let alike = 0;
  for (const [index, { like, record }] of seen.entries()) {
    assert.notEqual(like, undefined);
    const before = seen[index - 1];
    if (before === undefined || like !== before.like) continue;
    alike += 1;
    assert.deepEqual(textsOf(record), textsOf(before.record));
  }
  assert.ok(alike >= seen.length / 3, `${alike} of ${seen.length}`);
  assert.equal(new Set(Array.from(frame, ({ like }) => like)).size, seen.length - alike);
});

test('labels of a record do not depend on the one before it in its frame', () => {
  const book = new LabelBook(new PriceTables(), ['env']);
  let index = 0;
  for (const view of frame) {
    const alone = new LabelBook(new PriceTables(), ['env']).of(records[index]!);
    assert.deepEqual(book.of(view), alone);
    index += 1;
  }
});

test('labels that could not be made are not taken from the record before', () => {
  const broken: ExchangeRecord = { ...USUAL, metadataJson: '{' };
  const book = new LabelBook(new PriceTables(), ['env']);
  let index = 0;
  for (const view of new RecordFrame(encodeBatch([USUAL, broken, broken, USUAL]))) {
    if (index === 1 || index === 2) assert.throws(() => book.of(view), SyntaxError);
    else assert.ok(book.of(view));
    index += 1;
  }
});

test('an access line does not depend on the record before it in its frame', () => {
  const written = (of: Iterable<RecordView>): unknown[] => {
    let text = '';
    const write = (bytes: string | Buffer): void => {
      text += bytes;
    };
    addRecords(createAccessLog('all', { write }), of);
    const lines: Record<string, unknown>[] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    return lines.map(({ time: _, ...line }) => line);
  };
  assert.deepEqual(
    written(frame),
    records.flatMap((record) => written([record])),
  );
});

test('metrics of records from a frame are those of the same records one by one', async () => {
  const rendered = async (of: Iterable<RecordView>): Promise<string[]> => {
    const none = { inFlight: () => 0, bodyMemoryBytes: () => 0, logLinesDropped: () => 0 };
    const metrics = new Metrics({ metadataKeys: ['env'], ...none });
    addRecords(metrics, of);
    return (await metrics.render()).split('\n').filter((line) => line.startsWith('ai_gateway_'));
  };
  const lines = await rendered(records);
  assert.ok(lines.length > 50);
  assert.deepEqual(await rendered(frame), lines);
});
