import type { JournalPart } from '../../../src/ledger/journal-reader.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { basisOf } from '../../../src/usage/price-basis.ts';
import { tokenCostNanoUsd } from '../../../src/usage/token-cost.ts';
import type { RateTable } from '../../../src/usage/token-rates.ts';

export const RATES: RateTable = {
  perExchange: 0,
  bands: [{ fromInputTokens: 0, rates: { input: 2500, output: 10_000, cacheRead: 1250 } }],
};

let count = 0;

/** An answered exchange with usage and a cost by RATES; every one with an id of its own. */
export function ledgerRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  count += 1;
  const id = changes.id ?? `ex_test${process.pid.toString(36)}${count.toString(36)}`;
  const usage = changes.usage ?? { inputTokens: 100 + (count % 7), outputTokens: 20, cacheReadInputTokens: 10 };
  return {
    id,
    requestId: id,
    startedAt: Date.UTC(2026, 10, 22, 10, 0, 0) + count,
    durationMs: 123.456,
    thread: 0,
    method: 'POST',
    path: '/chat/completions',
    status: 200,
    outcome: 'ok',
    subject: 'user:bob@example.com',
    keyId: 'bob',
    model: 'p/m',
    target: 'p/m',
    provider: 'openai',
    stream: false,
    attempts: 1,
    usage,
    usageSource: 'provider',
    costNanoUsd: tokenCostNanoUsd(RATES, usage),
    priceTable: basisOf(RATES),
    priceVersion: 'account',
    overheadMs: 0.25,
    upstreamMs: 120,
    bytesIn: 100,
    bytesOut: 200,
    ...changes,
  };
}

/** Refused: it reached no target. */
export function refusedRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return ledgerRecord({
    status: 429,
    outcome: 'error',
    errorCode: 'rate_limited',
    target: undefined,
    provider: undefined,
    priceTable: undefined,
    priceVersion: undefined,
    usageSource: undefined,
    attempts: 0,
    upstreamMs: 0,
    ...changes,
    usage: undefined,
    costNanoUsd: undefined,
  });
}

export function many(records: number, changes: Partial<ExchangeRecord> = {}): ExchangeRecord[] {
  return Array.from({ length: records }, () => ledgerRecord(changes));
}

export function recordsOf({ frames }: JournalPart): ExchangeRecord[] {
  return frames.flatMap((frame) => frame.records());
}
