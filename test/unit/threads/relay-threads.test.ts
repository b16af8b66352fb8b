import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deathsInARow, restartDelayMs } from '../../../src/threads/relay-threads.ts';

/** How long each thread lived, in milliseconds → how long its successor was waited for. */
function delays(lives: readonly number[]): number[] {
  let deaths = 0;
  return lives.map((livedMs) => {
    deaths = deathsInARow(deaths, livedMs);
    return restartDelayMs(deaths);
  });
}

test('a thread that dies at once is restarted ever later, and one that lived long as soon as the first', () => {
  assert.deepEqual(delays([5, 5, 5, 5, 5, 5, 5, 5]), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assert.deepEqual(delays([5, 5, 5, 3_600_000, 5, 3_600_000]), [100, 200, 400, 100, 200, 100]);
});
