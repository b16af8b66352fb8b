import assert from 'node:assert/strict';
import { createAccessLog } from '../../src/telemetry/access-log.ts';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../src/telemetry/exchange-record.ts';
import { RecordFrame } from '../../src/telemetry/record-frame.ts';
import { subjectOf, task } from '../harness/subject.ts';

const RECORDS = 100;

export const inputs = {
  /** What a busy thread sends at once. */
  records: Array.from({ length: RECORDS }, (_, i) => answered(i)),
};

const frame = encodeBatch(inputs.records);
let lines = '';
let keep = false;
const log = createAccessLog('all', {
  // As bytes that leave at once: memory is used again.
  write(bytes, onLeft) {
    if (keep) lines += bytes;
    onLeft?.();
  },
});

export const subject = subjectOf([
  task({
    name: 'a line of a record in a frame of 100',
    operations: RECORDS,
    run: () => log.addAll(new RecordFrame(frame)),
    check: () => {
      keep = true;
      log.addAll(new RecordFrame(frame));
      keep = false;
      const written = lines
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      lines = '';
      assert.deepEqual(
        written.map((line) => [line['sluice.exchange.id'], line['sluice.duration_ms'], line['sluice.cost.usd']]),
        inputs.records.map(({ id, durationMs, costNanoUsd = 0 }) => [id, durationMs, costNanoUsd / 1e9]),
      );
    },
  }),
]);

function answered(i: number): ExchangeRecord {
  return {
    id: `ex_mdz1k2ab0123456789ab${i.toString(36)}`,
    requestId: `ex_mdz1k2ab0123456789ab${i.toString(36)}`,
    startedAt: 1_764_000_000_000.25 + i,
    durationMs: 812.503 + i,
    thread: 0,
    method: 'POST',
    path: '/chat/completions',
    status: 200,
    outcome: 'ok',
    subject: `user:user${i % 5}@example.com`,
    keyId: `key_${i % 5}`,
    model: 'openai-main/gpt-4o',
    target: 'openai-main/gpt-4o',
    provider: 'openai',
    stream: i % 2 === 0,
    attempts: 1,
    usage: { inputTokens: 120 + i, outputTokens: 100, cacheReadInputTokens: 64, reasoningOutputTokens: 0 },
    usageSource: 'provider',
    costNanoUsd: 1_380_000 + i,
    overheadMs: 0.2,
    upstreamMs: 812.1 + i,
    firstTokenMs: 220.25,
    interTokenMs: 5.9,
    bytesIn: 812,
    bytesOut: 25_000,
  };
}
