import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { runToEnd, SlicedWork, type Steps } from '../../../src/core/steps.ts';

/** Each step takes longer than a slice. */
function* longSteps(count: number, begun: () => void): Steps<string> {
  for (let step = 0; step < count; step += 1) {
    begun();
    const until = performance.now() + 2;
    while (performance.now() < until);
    yield;
  }
  return 'done';
}

const fail = (): never => assert.fail('it was not to be told');

test('work in slices lets the event loop turn after each', async () => {
  let begun = 0;
  let turnsBetween = 0;
  let last = 0;
  const result = await new Promise((resolve) => {
    new SlicedWork().begin(
      longSteps(5, () => (begun += 1)),
      resolve,
      fail,
    );
    const look = (): void => {
      if (begun > last) turnsBetween += 1;
      last = begun;
      if (begun < 5) setImmediate(look);
    };
    setImmediate(look);
  });
  assert.equal(result, 'done');
  assert.equal(turnsBetween, 5);
});

test('newer work in slices takes the place of what is under way, which is heard no more', async () => {
  let early = 0;
  const work = new SlicedWork();
  work.begin(
    longSteps(100, () => (early += 1)),
    fail,
    fail,
  );
  while (early < 2) await turn();
  const result = await new Promise((resolve) =>
    work.begin(
      longSteps(3, () => undefined),
      resolve,
      fail,
    ),
  );
  assert.equal(result, 'done');
  assert.ok(early < 100);
});

test('a failure in sliced work is told once, and the next work is done', async () => {
  const work = new SlicedWork();
  const cause = new Error('the third step');
  const error = await new Promise((resolve) => {
    work.begin(
      longSteps(5, () => {
        throw cause;
      }),
      fail,
      resolve,
    );
  });
  assert.equal(error, cause);
  assert.equal(
    await new Promise((resolve) =>
      work.begin(
        longSteps(1, () => undefined),
        resolve,
        fail,
      ),
    ),
    'done',
  );
});

test('work that nobody waits beside is done at once', () => {
  let begun = 0;
  assert.equal(runToEnd(longSteps(3, () => (begun += 1))), 'done');
  assert.equal(begun, 3);
});
