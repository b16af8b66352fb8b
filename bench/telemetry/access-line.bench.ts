import assert from 'node:assert/strict';
import { createAccessLog } from '../../src/telemetry/access-log.ts';
import { encodeBatch } from '../../src/telemetry/encode-batch.ts';
import { RecordFrame } from '../../src/telemetry/record-frame.ts';
import { subjectOf, task } from '../harness/subject.ts';
import { answered } from '../inputs/exchange-records.ts';

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

function writeLines(): void {
  for (const record of new RecordFrame(frame)) log.add(record);
  log.send();
}

export const subject = subjectOf([
  task({
    name: 'a line of a record in a frame of 100',
    operations: RECORDS,
    run: writeLines,
    check: () => {
      keep = true;
      writeLines();
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
