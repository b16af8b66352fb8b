import { createClient } from '@redis/client';
import type { CounterSettings } from '../../src/config/server/store.ts';

/** As a configuration has them that says nothing about counters. */
export const COUNTER_SETTINGS: CounterSettings = {
  agreement: 'strict',
  leasePercent: 5,
  timeoutMs: 250,
  whenAway: 'local',
  maxCells: 65_536,
};

/** A Redis that is empty, and whose budgets were brought over: nothing. */
export async function markSeeded(url: string): Promise<void> {
  await withRedis(url, async (client) => {
    await client.set('sluice:seeded', '1');
  });
}

export type RedisClient = ReturnType<typeof connection>;

export async function withRedis<T>(url: string, use: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connection(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}

function connection(url: string) {
  return createClient({ url, RESP: 2 });
}
