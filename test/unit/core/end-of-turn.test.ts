import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atEndOfTurn, beginRead, endRead } from '../../../src/core/end-of-turn.ts';

const calls: string[] = [];
const ran = (): void => void calls.push('ran');

test('work that a read asked for runs right behind it, once, and before any microtask', async () => {
  calls.length = 0;
  beginRead();
  atEndOfTurn(ran);
  queueMicrotask(() => calls.push('microtask'));
  assert.deepEqual(calls, []);
  endRead();
  assert.deepEqual(calls, ['ran']);
  beginRead();
  endRead();
  await null;
  assert.deepEqual(calls, ['ran', 'microtask']);
});

test('work that is asked for outside of a read runs behind the running code', async () => {
  calls.length = 0;
  atEndOfTurn(ran);
  assert.deepEqual(calls, []);
  await null;
  assert.deepEqual(calls, ['ran']);
});
