import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PackedConfiguration } from '../../../src/config/packed-configuration.ts';
import type { RelayThreadBirth } from '../../../src/threads/messages.ts';
import { deathsInARow, RelayThreads, restartDelayMs } from '../../../src/threads/relay-threads.ts';

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

test('a reload is over when each relay thread has taken it or has ended, or after its deadline', async () => {
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const threads = new RelayThreads({ entry: new URL('./configured-thread.ts', import.meta.url), count: 2 });
  threads.load();
  await threads.start({
    log: silent,
    data: async (thread) => ({ thread }) as unknown as RelayThreadBirth,
    onMessage: () => {},
    onDied: () => {},
  });
  const configuration = {} as PackedConfiguration;
  const LONG_MS = 60_000;
  assert.equal(await threads.reconfigure(configuration, LONG_MS), 0);
  assert.equal(await threads.reconfigure(configuration, 100), 1);
  assert.equal(await threads.reconfigure(configuration, LONG_MS), 0);
  await threads.drain(0);
});
