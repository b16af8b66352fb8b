import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainGlobals } from '../../../src/threads/plain-globals.ts';

test('globals on the way of a request are plain values, and the same ones as before', () => {
  const before = { performance, Buffer };
  plainGlobals();
  for (const name of ['performance', 'Buffer'] as const) {
    assert.equal(Object.getOwnPropertyDescriptor(globalThis, name)?.value, before[name]);
  }
});
