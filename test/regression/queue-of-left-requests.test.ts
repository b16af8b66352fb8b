/*
 * Symptom: with a provider that hangs, memory grew without end although every request was refused after connect_ms:
 * sluice_upstream_queued far above max_upstream_queue, the bodies of all refused requests still held.
 * Root cause: an attempt that was given up while it waited for a connection gave its place back at once, but stayed in
 * undici's queue, body and all, until a connection was free.
 * Why the fix is right: the line of those that wait is ours: leaving it lets go of the body, and its length is what
 * the limit says.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { type RawProvider, startRawProvider } from '../support/raw-provider.ts';

const CONNECTIONS = 1;
const QUEUE = 8;
let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider(() => {});
  gateway = await startGateway({
    manifests: [selfHosted('hangs', `${provider.origin}/v1`, ['m'])],
    server: {
      limits: { max_upstream_connections: CONNECTIONS, max_upstream_queue: QUEUE },
      timeouts: { connect_ms: 100 },
    },
  });
});
disposeAfter(() => [gateway, provider]);

test('the queue for a provider that hangs never exceeds max_upstream_queue, clients that left included', async () => {
  const ask = async (signal?: AbortSignal): Promise<void> => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: '{"model":"hangs/m","messages":[]}',
      ...(signal && { signal }),
    });
    await answer.arrayBuffer();
  };
  const holder = new AbortController();
  const held = ask(holder.signal).catch(() => {});
  await wait(200);
  for (let round = 0; round < 6; round += 1) await Promise.all(Array.from({ length: QUEUE }, () => ask()));
  // At most 500 ms behind.
  await wait(700);
  const queued = await gateway.metric('sluice_upstream_queued');
  assert.ok(queued <= QUEUE, `${queued} are queued`);
  holder.abort();
  await held;
});
