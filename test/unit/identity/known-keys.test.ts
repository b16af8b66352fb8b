import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KnownKeys } from '../../../src/identity/known-keys.ts';
import type { KeyNote } from '../../../src/store/key-notes.ts';

const own = { keyId: 'own', publicKeyPem: 'pem' };
const other = { keyId: 'other', publicKeyPem: 'pem' };
const opaque = (id: string, more: Partial<KeyNote> = {}): KeyNote => ({
  id,
  opaque: { hash: `hash-${id}`, subject: 'user:a@b.c', teams: [], metadata: {} },
  ...more,
});
const news = (notes: readonly KeyNote[], startsAnew = false) => ({ startsAnew, notes, signingKeys: [other] });

describe('what is known of issued keys', () => {
  it('known keys are told as they change, and whole to a thread that is born', () => {
    const known = new KnownKeys(own);
    known.take(news([opaque('a'), { id: 'b', revokedAtMs: 1 }], true), 0);
    const told = known.take(news([{ id: 'c', revokedAtMs: 2 }, opaque('a', { revokedAtMs: 3 })]), 0);
    assert.deepEqual(
      told.notes.map((note) => note.id),
      ['c', 'a'],
    );
    const all = known.all();
    assert.equal(all.startsAnew, true);
    assert.deepEqual(
      all.notes.map((note) => [note.id, note.revokedAtMs]),
      [
        ['a', 3],
        ['b', 1],
        ['c', 2],
      ],
    );
  });

  it('known keys leave out keys that need no word, and drop those that no longer need one', () => {
    const known = new KnownKeys(own);
    assert.deepEqual(known.take(news([{ id: 'jwt' }]), 0).notes, []);
    known.take(news([{ id: 'jwt', revokedAtMs: 1 }]), 0);
    assert.deepEqual(known.take(news([{ id: 'jwt' }]), 0).notes, [{ id: 'jwt' }]);
    assert.deepEqual(known.all().notes, []);
  });

  it('known keys start anew when they are told to', () => {
    const known = new KnownKeys(own);
    known.take(news([opaque('a')]), 0);
    known.take(news([opaque('b')], true), 0);
    assert.deepEqual(
      known.all().notes.map((note) => note.id),
      ['b'],
    );
  });

  it('known keys always hold the gateway’s own signing key, whatever the database says', () => {
    const known = new KnownKeys(own);
    assert.deepEqual(known.take(news([]), 0).signingKeys, [other, own]);
    assert.deepEqual(known.all().signingKeys, [other, own]);
  });

  it('known keys drop those that expired long ago', () => {
    const known = new KnownKeys(own);
    const DAY = 86_400_000;
    const old = Array.from({ length: 10_001 }, (_, index) => opaque(`old-${index}`, { expiresAtMs: DAY }));
    known.take(news([...old, opaque('new', { expiresAtMs: 3 * DAY })]), 2 * DAY + 1);
    assert.deepEqual(
      known.all().notes.map((note) => note.id),
      ['new'],
    );
  });
});
