import { join } from 'node:path';
import { BatchRecords } from '../../src/ledger/batch-records.ts';
import { LedgerWriter } from '../../src/ledger/ledger-writer.ts';
import { openDatabase } from '../../src/store/database.ts';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../src/telemetry/exchange-record.ts';

const ROWS = 1_000;
const HOUR_MS = 3_600_000;

/** Writes exchanges of the last day into the data folder of a gateway that does not run; `of` says what is special of one. */
export async function writeLedger(
  folder: string,
  exchanges: number,
  of: (number: number) => Partial<ExchangeRecord>,
): Promise<void> {
  const database = await openDatabase({ database: 'sqlite', dataDir: join(folder, 'data') });
  const writer = new LedgerWriter({
    database,
    gatewayId: 'gw_past',
    metadataKeys: ['session_id', 'project'],
    hooks: [],
  });
  const until = Date.now() - 1_000;
  for (let from = 0; from < exchanges; from += ROWS) {
    const batch = new BatchRecords();
    const records = Array.from({ length: Math.min(ROWS, exchanges - from) }, (_, row) =>
      recordOf(from + row, until - ((exchanges - from - row) / exchanges) * 20 * HOUR_MS, of(from + row)),
    );
    batch.addFrame(encodeBatch(records), records.length);
    await writer.write(batch);
  }
  await database.close();
}

export function idOf(number: number): string {
  return `ex_${String(number).padStart(8, '0')}`;
}

function recordOf(number: number, startedAt: number, special: Partial<ExchangeRecord>): ExchangeRecord {
  const id = idOf(number);
  const failed = number % 20 === 0;
  return {
    id,
    requestId: id,
    startedAt,
    durationMs: 400 + (number % 700),
    thread: 1,
    method: 'POST',
    path: '/chat/completions',
    status: failed ? 429 : 200,
    outcome: failed ? 'error' : 'ok',
    ...(failed && { errorCode: 'rate_limited', rulesJson: '{"ratelimit":["search"],"refused":"search"}' }),
    subject: number % 3 === 0 ? 'user:ann@example.com' : 'virtualaccount:ci',
    keyId: number % 3 === 0 ? 'key_ann' : 'key_ci',
    teamsJson: '["search"]',
    metadataJson: JSON.stringify({ session_id: `s${number % 40}` }),
    model: `lab/model-${number % 12}`,
    ...(!failed && {
      target: `lab/model-${number % 12}`,
      provider: 'openai',
      usage: { inputTokens: 900, outputTokens: 120, cacheReadInputTokens: 300 },
      usageSource: 'provider',
      costNanoUsd: 2_400_000,
      firstTokenMs: 150 + (number % 90),
    }),
    stream: true,
    attempts: failed ? 0 : 1,
    overheadMs: 0.4,
    upstreamMs: failed ? 0 : 390,
    bytesIn: 3_000,
    bytesOut: 9_000,
    ...special,
  };
}
