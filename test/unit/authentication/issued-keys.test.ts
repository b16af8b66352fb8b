import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IssuedKeys } from '../../../src/authentication/issued-keys.ts';
import type { KeyNote } from '../../../src/store/key-notes.ts';

const DAY = 86_400_000;
const opaque = (id: string, more: Partial<KeyNote> = {}): KeyNote => ({
  id,
  opaque: { hash: `hash-${id}`, subject: 'user:a@b.c', teams: [], metadata: {} },
  ...more,
});

test('a relay thread drops keys that expired long ago, opaque or revoked, and no others', () => {
  const issued = new IssuedKeys();
  const told = (notes: readonly KeyNote[], now: number) =>
    issued.take({ startsAnew: false, signingKeys: [], notes }, now);
  const short = Array.from({ length: 6_000 }, (_, index) => opaque(`o${index}`, { expiresAtMs: DAY }));
  const revoked = Array.from({ length: 3_998 }, (_, index) => ({ id: `r${index}`, revokedAtMs: 1, expiresAtMs: DAY }));
  told([...short, ...revoked, { id: 'for-good', revokedAtMs: 1 }, opaque('long', { expiresAtMs: 9 * DAY })], 0);
  assert.equal(issued.size, 10_000);
  told([opaque('new')], 2 * DAY + 1);
  assert.equal(issued.size, 3);
  assert.equal(issued.revokedAt('for-good'), 1);
  assert.ok(issued.judge('hash-long', 2 * DAY + 1) && issued.judge('hash-new', 2 * DAY + 1));
});
