import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyBroadcast } from '../../../src/identity/key-broadcast.ts';
import type { IdentityMessage } from '../../../src/threads/identity-messages.ts';

const news = { startsAnew: false, notes: [], signingKeys: [] };

function broadcast(threads: number): { keys: KeyBroadcast; numbers: number[] } {
  const numbers: number[] = [];
  const keys = new KeyBroadcast(threads, (message: IdentityMessage) => {
    if (message.type === 'keys') numbers.push(message.number);
  });
  return { keys, numbers };
}
async function isSettled(waiting: Promise<void>): Promise<boolean> {
  let done = false;
  waiting.then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe('news of keys', () => {
  it('news of keys is settled when every thread has heard all of it', async () => {
    const { keys, numbers } = broadcast(2);
    assert.ok(await isSettled(keys.settled()), 'nothing was told');
    keys.tell(news);
    keys.tell(news);
    assert.deepEqual(numbers, [1, 2]);
    const waiting = keys.settled();
    keys.heard(0, 2);
    keys.heard(1, 1);
    assert.equal(await isSettled(waiting), false);
    keys.heard(1, 2);
    assert.ok(await isSettled(waiting));
  });

  it('news of keys does not wait for a thread that died, and the one in its place is born with it', async () => {
    const { keys } = broadcast(2);
    keys.tell(news);
    keys.heard(0, 1);
    const waiting = keys.settled();
    keys.died(1);
    assert.ok(await isSettled(waiting));
    keys.born(1);
    assert.ok(await isSettled(keys.settled()));
    keys.tell(news);
    keys.heard(0, 2);
    assert.equal(await isSettled(keys.settled()), false, 'and hears what comes later as any other');
  });

  it('news of keys is waited for no longer than a second', { timeout: 5000 }, async () => {
    const { keys } = broadcast(1);
    keys.tell(news);
    const keepsAlive = setTimeout(() => {}, 4000);
    const startedAt = performance.now();
    await keys.settled();
    clearTimeout(keepsAlive);
    assert.ok(performance.now() - startedAt > 900);
  });
});
