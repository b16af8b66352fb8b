/**
 * `node bench/ledger/ledger-cost.ts [EXCHANGES]`: what the ledger costs an exchange, in CPU time of all threads of this process,
 * on SQLite in a temporary folder. A program of its own and no subject of `npm run bench`: writing is asynchronous, and what
 * counts is CPU and not the time that a disk takes.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatchRecords } from '../../src/ledger/batch-records.ts';
import { JournalWriter } from '../../src/ledger/journal-writer.ts';
import { LedgerWriter } from '../../src/ledger/ledger-writer.ts';
import { openDatabase } from '../../src/store/database.ts';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../src/telemetry/exchange-record.ts';
import { basisOf } from '../../src/usage/price-basis.ts';

const exchanges = Number(process.argv[2] ?? 100_000);
const BATCH = 4_000;
/** Records of 5 ms at 10,000 exchanges a second and thread. */
const FRAME = 50;
const stem = Date.now().toString(36);
const priceTable = basisOf({ perExchange: 0, bands: [{ fromInputTokens: 0, rates: { input: 2500, output: 10_000 } }] });

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-ledger-'));
try {
  const frames = framesOf(exchanges);
  const warmUp = framesOf(5 * BATCH, exchanges);
  append(warmUp, join(folder, 'warm-up'));
  const appended = await microseconds(() => append(frames, join(folder, 'journal')));
  const database = await openDatabase(folder);
  const writer = new LedgerWriter({ database, gatewayId: 'bench', metadataKeys: ['env'], hooks: [] });
  await write(writer, warmUp);
  const written = await microseconds(() => write(writer, frames));
  await database.close();
  report('journal: append', appended);
  report('database: read, pack, hash, sums, commit', written);
  report('both', appended + written);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function append(frames: readonly Uint8Array[], into: string): void {
  mkdirSync(into);
  const journal = new JournalWriter({ folder: into, thread: 0, onClosed: () => {}, onFault: fail });
  for (const frame of frames) journal.append(frame);
  journal.close();
}

/** As they come, a batch at a time. */
async function write(writer: LedgerWriter, frames: readonly Uint8Array[]): Promise<void> {
  for (let start = 0; start < frames.length; start += BATCH / FRAME) {
    const records = new BatchRecords();
    for (const frame of frames.slice(start, start + BATCH / FRAME)) records.addFrame(frame, FRAME);
    await writer.write(records, 'none');
  }
}

async function microseconds(run: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function report(name: string, totalUs: number): void {
  process.stdout.write(`${name.padEnd(40)} ${(totalUs / exchanges).toFixed(2).padStart(8)} µs an exchange\n`);
}

function framesOf(records: number, first = 0): Uint8Array[] {
  return Array.from({ length: records / FRAME }, (_, frame) =>
    encodeBatch(Array.from({ length: FRAME }, (_, index) => record(first + frame * FRAME + index))),
  );
}

/** One of 200 users with rules, budgets and a price. */
function record(index: number): ExchangeRecord {
  const id = `ex_${stem}0123456789ab${index.toString(36)}`;
  return {
    id,
    requestId: id,
    startedAt: 1_764_000_000_000.25 + index / 10,
    durationMs: 812.503,
    thread: 0,
    method: 'POST',
    path: '/chat/completions',
    status: 200,
    outcome: 'ok',
    subject: `user:user${index % 200}@example.com`,
    keyId: `key_${index % 200}`,
    teamsJson: '["search"]',
    metadataJson: '{"env":"prod"}',
    rulesJson: '{"rate_limit":["per-user"],"budget":["team-month"]}',
    chargesJson: `[["team-month","search"],["per-user","user${index % 200}@example.com"]]`,
    model: 'openai-main/gpt-4o',
    target: 'openai-main/gpt-4o',
    provider: 'openai',
    stream: index % 2 === 0,
    attempts: 1,
    usage: { inputTokens: 120 + (index % 50), outputTokens: 100, cacheReadInputTokens: 64, reasoningOutputTokens: 0 },
    usageSource: 'provider',
    costNanoUsd: (120 + (index % 50)) * 2500 + 1_000_000,
    priceTable,
    priceVersion: 'account',
    reservedNanoUsd: 2_000_000,
    overheadMs: 0.2113,
    upstreamMs: 812.1,
    firstTokenMs: 220.25,
    interTokenMs: 5.9,
    bytesIn: 812,
    bytesOut: 25_000,
  };
}

function fail(error: unknown): never {
  throw error;
}
