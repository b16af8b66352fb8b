import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { type ApiKey, insertKey, replaceKey, revokeKey } from '../../src/store/api-keys.ts';
import type { Database } from '../../src/store/database.ts';
import { type KeyNews, KeyWatch } from '../../src/store/key-watch.ts';
import { publishSigningKey } from '../../src/store/signing-keys.ts';
import { forEachEngine } from '../support/engines.ts';

const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id,
  subject: 'user:a@b.c',
  teams: [],
  metadata: {},
  createdAt: new Date(),
  ...more,
});
const opaque = (id: string) => key(id, { tokenType: 'opaque', tokenHash: `hash-of-${id}` });

/** News as it comes: the watch does not keep the process alive, so waiting for it does. */
class Listener {
  readonly heard: KeyNews[] = [];
  faults = 0;
  #wake: (() => void) | undefined;

  watch(database: Database, intervalMs?: number): KeyWatch {
    return new KeyWatch(database, {
      onNews: (news) => {
        this.heard.push(news);
        this.#wake?.();
      },
      onFault: () => {
        this.faults += 1;
        this.#wake?.();
      },
      ...(intervalMs && { intervalMs }),
    });
  }

  async until(what: string, holds: () => boolean, withinMs = 1000): Promise<void> {
    const endsAt = performance.now() + withinMs;
    while (!holds()) {
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) throw new Error(`not within ${withinMs} ms: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  knows(id: string): boolean {
    return this.heard.some((news) => news.notes.some((note) => note.id === id));
  }
}

forEachEngine('the watch over keys', (engine) => {
  let gateway: Database;
  let command: Database;
  beforeEach(async () => {
    const place = await engine.newPlace();
    gateway = await engine.open(place);
    command = await engine.open(place);
  });

  it('a key watch begins with everything that must be known, and then tells only what changed', async () => {
    await insertKey(command, opaque('key_1'));
    await insertKey(command, key('key_2'));
    await revokeKey(command, 'key_2', new Date());
    const listener = new Listener();
    const watch = listener.watch(gateway);
    await watch.start();
    assert.equal(listener.heard[0]?.startsAnew, true);
    assert.deepEqual(
      listener.heard[0]?.notes.map((note) => note.id),
      ['key_1', 'key_2'],
    );
    await watch.look();
    assert.equal(listener.heard.length, 1, 'nothing changed');
    await insertKey(command, opaque('key_3'));
    await watch.look();
    assert.equal(listener.heard[1]?.startsAnew, false);
    assert.deepEqual(
      listener.heard[1]?.notes.map((note) => note.id),
      ['key_3'],
    );
    watch.stop();
  });

  it('a key watch tells within a second of a key that another process revoked, rotated or made', async () => {
    await insertKey(command, key('key_1'));
    await insertKey(command, key('key_2'));
    const listener = new Listener();
    const watch = listener.watch(gateway);
    await watch.start();
    await revokeKey(command, 'key_1', new Date());
    await listener.until('key_1 is revoked', () => listener.knows('key_1'));
    const worksUntil = new Date(Date.now() + 60_000);
    await replaceKey(command, 'key_2', opaque('key_4'), worksUntil);
    await listener.until('key_4 is known', () => listener.knows('key_4'));
    const last = listener.heard.at(-1)?.notes ?? [];
    assert.equal(last.find((note) => note.id === 'key_2')?.revokedAtMs, worksUntil.getTime());
    assert.equal(last.find((note) => note.id === 'key_4')?.opaque?.hash, 'hash-of-key_4');
    watch.stop();
  });

  it('a key watch tells of this process’s own writes as soon as it looks', async () => {
    const listener = new Listener();
    const watch = listener.watch(gateway);
    await watch.start();
    await insertKey(gateway, opaque('key_1'));
    await watch.look();
    assert.ok(listener.knows('key_1'));
    watch.stop();
  });

  it('a key watch tells of the signing keys of other gateways', async () => {
    const listener = new Listener();
    const watch = listener.watch(gateway);
    await watch.start();
    await publishSigningKey(command, { keyId: 'kid', publicKeyPem: 'pem' }, 'gw_2', new Date());
    await watch.look();
    assert.deepEqual(listener.heard.at(-1)?.signingKeys, [{ keyId: 'kid', publicKeyPem: 'pem' }]);
    watch.stop();
  });

  it('a key watch misses no write, however many come from all sides at once', async () => {
    const listener = new Listener();
    const watch = listener.watch(gateway, 5);
    await watch.start();
    const ids = Array.from({ length: 60 }, (_, index) => `key_${index}`);
    // Two connections of one process to SQLite would wait for each other: while one waits, the other cannot go on.
    const writers = engine.name === 'SQLite' ? [gateway] : [gateway, command];
    await Promise.all(ids.map((id, index) => insertKey(writers[index % writers.length]!, opaque(id))));
    await watch.look();
    watch.stop();
    const told = listener.heard.flatMap((news) => news.notes.map((note) => note.id));
    assert.deepEqual([...new Set(told)].sort(), [...ids].sort());
  });

  it('a key watch starts anew where the database was put back to an earlier state', async () => {
    const listener = new Listener();
    await insertKey(command, opaque('key_1'));
    const watch = listener.watch(gateway);
    await watch.start();
    await command.query.deleteFrom('api_keys').execute();
    await command.query.updateTable('key_version').set({ n: 1 }).execute();
    await watch.look();
    assert.deepEqual([listener.heard.at(-1)?.startsAnew, listener.heard.at(-1)?.notes], [true, []]);
    watch.stop();
  });

  it('a key watch does not start where nothing can be read, and reports a later failure once', async () => {
    const listener = new Listener();
    const watch = listener.watch(gateway, 5);
    await watch.start();
    await gateway.close();
    await listener.until('the fault', () => listener.faults === 1);
    for (let look = 0; look < 5; look += 1) await watch.look().catch(() => {});
    assert.equal(listener.faults, 1);
    watch.stop();
    await assert.rejects(new Listener().watch(gateway).start());
  });
});
