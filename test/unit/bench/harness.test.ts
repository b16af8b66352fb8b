import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { measureInChild, NotMeasured } from '../../../bench/harness/child.ts';
import { heapBytesPerRun } from '../../../bench/harness/heap-bytes.ts';
import { measure } from '../../../bench/harness/measure.ts';
import { median } from '../../../bench/harness/median.ts';
import { grouped, renderOutcome } from '../../../bench/harness/report.ts';
import { subjectOf, task } from '../../../bench/harness/subject.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const SHORT = { warmUpMs: 5, timeMs: 20 };

/** Burns about so many milliseconds. */
function spin(ms: number): number {
  const start = performance.now();
  while (performance.now() - start < ms);
  return ms;
}

test('a subject that computes something wrong is not timed', () => {
  let runs = 0;
  const wrong = task({
    name: 'fast and wrong',
    run: () => {
      runs += 1;
      return 5;
    },
    check: (sum) => assert.equal(sum, 4),
  });
  assert.throws(() => measure(subjectOf([wrong]), SHORT), assert.AssertionError);
  assert.equal(runs, 1, 'it ran for its check and no more');
});

test('a task whose first run spoils the next is found by its check', () => {
  let count = 0;
  const spoiled = task({ name: 'counts', run: () => ++count, check: (value) => assert.equal(value, 1) });
  assert.throws(() => spoiled.check(), assert.AssertionError);
});

test('bench figures are per operation, in nanoseconds', () => {
  const subject = subjectOf([
    task({ name: 'one', run: () => spin(0.2), check: () => undefined }),
    task({ name: 'ten at once', operations: 10, bytes: 1000, run: () => spin(0.2), check: () => undefined }),
  ]);
  const [one, ten] = measure(subject, SHORT);
  assert.ok(one && ten);
  // Never faster than what it does; a busy machine may make it slower.
  assert.ok(one.medianNs >= 199_000 && one.medianNs < 2_000_000, `${one.medianNs}`);
  assert.ok(ten.medianNs >= 19_900 && ten.medianNs < 200_000, `${ten.medianNs}`);
  assert.ok(one.p99Ns >= one.medianNs && one.meanNs > 0 && one.samples >= 10);
  assert.deepEqual([one.bytes, ten.bytes], [undefined, 1000]);
});

test('heap per run is what the run takes; without access to the collector it is unknown, not zero', (context) => {
  const { gc } = globalThis;
  context.after(() => {
    globalThis.gc = gc;
  });
  globalThis.gc = undefined;
  assert.ok(Number.isNaN(heapBytesPerRun(() => undefined)));
  assert.equal(grouped(Number.NaN), '–');
});

test('a bench child measures one subject, with the heap it takes', async () => {
  const measured = await measureInChild(root, 'edge/response-head', SHORT);
  assert.ok(!(measured instanceof NotMeasured), 'reason' in measured ? measured.reason : '');
  assert.equal(measured.subject, 'edge/response-head');
  const [first] = measured.tasks;
  assert.ok(first && first.medianNs > 0 && first.heapBytes > 100, JSON.stringify(first));
  const table = renderOutcome('edge/response-head', measured);
  for (const each of measured.tasks) assert.ok(table.includes(each.name));
});

test('a bench subject that cannot be measured says why and costs the others nothing', async () => {
  const measured = await measureInChild(root, 'codec/no-such-subject', SHORT);
  assert.ok(measured instanceof NotMeasured);
  assert.match(measured.reason, /no-such-subject/);
  assert.match(renderOutcome('codec/no-such-subject', measured), /not measured: .*no-such-subject/);
});

test('an abort ends the bench child that is measuring', async () => {
  const stop = new AbortController();
  const measuring = measureInChild(root, 'edge/response-head', { warmUpMs: 60_000, timeMs: 60_000 }, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(measuring, /enough/);
});

test('the median is the middle figure, or between the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 9, 2]), 3);
});
