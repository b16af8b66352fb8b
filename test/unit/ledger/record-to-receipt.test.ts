import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { SERVED_TERMS, TERM_NAMES } from '../../../src/inference/served-as.ts';
import { countIn } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { BatchRecords } from '../../../src/ledger/batch-records.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { readReceipt } from '../../../src/ledger/receipt.ts';
import type { Database } from '../../../src/store/database.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { forEachEngine } from '../../support/engines.ts';
import { WHOLE_RECORD } from '../telemetry/records.ts';

const SENT = { ...WHOLE_RECORD, pending: undefined };

type Receipt = Record<string, Record<string, unknown>>;
type Field = keyof Required<Omit<ExchangeRecord, 'fleeting'>>;

/** Where a receipt says what each field of a record said; null: nowhere, for the reason beside it. */
const SAID: Record<Field, ((receipt: Receipt) => [said: unknown, expected: unknown]) | null> = {
  id: ({ id }) => [id, SENT.id],
  requestId: ({ request_id }) => [request_id, SENT.requestId],
  startedAt: ({ when }) => [when?.['started_at'], new Date(SENT.startedAt).toISOString()],
  durationMs: ({ latency_ms }) => [latency_ms?.['total'], SENT.durationMs],
  // This is our own machinery; rows keep it.
  thread: null,
  method: ({ what }) => [what?.['method'], SENT.method],
  path: ({ what }) => [what?.['path'], SENT.path],
  status: ({ outcome }) => [outcome?.['status'], SENT.status],
  outcome: ({ outcome }) => [outcome?.['outcome'], SENT.outcome],
  errorCode: ({ outcome }) => [outcome?.['error_code'], SENT.errorCode],
  errorDetail: ({ outcome }) => [outcome?.['error_detail'], SENT.errorDetail],
  subject: ({ who }) => [who?.['subject'], SENT.subject],
  keyId: ({ who }) => [who?.['key_id'], SENT.keyId],
  model: ({ what }) => [what?.['model'], SENT.model],
  target: ({ route }) => [route?.['target'], SENT.target],
  provider: ({ route }) => [route?.['provider'], SENT.provider],
  stream: ({ what }) => [what?.['stream'], SENT.stream],
  attempts: ({ route }) => [route?.['attempts'], SENT.attempts],
  usage: ({ usage }) => [
    COUNTER_NAMES.map((name) => [name, usage?.[USAGE_COUNTERS[name].column]]),
    COUNTER_NAMES.map((name) => [name, countIn(SENT.usage, name)]),
  ],
  usageSource: ({ usage }) => [usage?.['source'], SENT.usageSource],
  costNanoUsd: ({ cost }) => [cost?.['nano_usd'], SENT.costNanoUsd],
  unknownCost: ({ cost }) => [cost?.['unknown_part'], SENT.unknownCost.part],
  overheadMs: ({ latency_ms }) => [latency_ms?.['overhead'], SENT.overheadMs],
  upstreamMs: ({ latency_ms }) => [latency_ms?.['upstream'], SENT.upstreamMs],
  firstTokenMs: ({ latency_ms }) => [latency_ms?.['first_token'], SENT.firstTokenMs],
  interTokenMs: ({ latency_ms }) => [latency_ms?.['between_tokens'], SENT.interTokenMs],
  bytesIn: ({ what }) => [what?.['bytes_in'], SENT.bytesIn],
  bytesOut: ({ what }) => [what?.['bytes_out'], SENT.bytesOut],
  teamsJson: ({ who }) => [who?.['teams'], JSON.parse(SENT.teamsJson)],
  metadataJson: ({ who }) => [who?.['metadata'], JSON.parse(SENT.metadataJson)],
  rulesJson: ({ route }) => [route?.['applied_rules'], JSON.parse(SENT.rulesJson)],
  chargesJson: ({ cost }) => [cost?.['charges'], JSON.parse(SENT.chargesJson)],
  attemptsJson: ({ route }) => [route?.['failed_attempts'], JSON.parse(SENT.attemptsJson)],
  guardrailsJson: ({ route }) => [route?.['guardrails'], JSON.parse(SENT.guardrailsJson)],
  priceVersion: ({ cost }) => [cost?.['price_version'], SENT.priceVersion],
  priceTable: ({ cost }) => [Reflect.get(Object(cost?.['price_table']), 'rates'), JSON.parse(SENT.priceTable)],
  // Only the access log has it: no address of a person stands in the ledger.
  clientJson: null,
  // A provisional record makes no row.
  pending: null,
  reservedNanoUsd: ({ cost }) => [cost?.['reserved_nano_usd'], SENT.reservedNanoUsd],
  // Spans alone are made with it.
  traceparent: null,
  cacheJson: ({ route }) => [route?.['cache'], JSON.parse(SENT.cacheJson)],
};

forEachEngine('a record that went through a frame into the ledger', (engine) => {
  let database: Database;
  let receipt: Receipt;
  const write = async (record: ExchangeRecord): Promise<Receipt> => {
    const batch = new BatchRecords();
    batch.addFrame(encodeBatch([record]), 1);
    await new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: ['env'], hooks: [] }).write(batch);
    return (await readReceipt(database, record.id)) as Receipt;
  };
  before(async () => {
    database = await engine.open();
    receipt = await write(SENT);
  });

  for (const [field, said] of Object.entries(SAID)) {
    if (said === null) continue;
    it(`a receipt says the ${field} of its record`, () => {
      const [found, expected] = said(receipt);
      assert.notEqual(found, undefined);
      assert.deepEqual(found, expected);
    });
  }

  it('a receipt says as what an answer was served, and what the provider billed', () => {
    for (const name of TERM_NAMES)
      assert.equal(
        Reflect.get(Object(receipt['cost']?.['served_as']), SERVED_TERMS[name].column),
        SENT.usage.servedAs[name],
      );
    assert.equal(receipt['cost']?.['provider_cost_usd'], SENT.usage.providerCostUsd);
  });

  it('a receipt says what budgets are charged where the cost is not known', async () => {
    const unknown = await write({ ...SENT, id: 'ex_2', costNanoUsd: undefined });
    assert.deepEqual(
      [unknown['cost']?.['nano_usd'], unknown['cost']?.['charged_nano_usd']],
      [null, SENT.unknownCost.atMostNanoUsd],
    );
  });
});
