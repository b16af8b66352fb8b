import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { before, it } from 'node:test';
import type { VirtualAccountIdentity } from '../../src/config/identities/identities.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { issueKey, type KeyMint, rotateKey } from '../../src/identity/issue-key.ts';
import { isDue, type KeyWish } from '../../src/identity/key-wish.ts';
import { publishedSigningKey } from '../../src/identity/published-signing-key.ts';
import { findKey, insertKey, newKeyId, revokeKey } from '../../src/store/api-keys.ts';
import { listSigningKeys } from '../../src/store/signing-keys.ts';
import { forEachEngine } from '../support/engines.ts';
import { storedKeys } from '../support/stored-keys.ts';

const DAY_MS = 86_400_000;
const wish = (more: Partial<KeyWish> = {}): KeyWish => ({
  subject: 'virtualaccount:ci',
  name: 'label',
  teams: ['search'],
  models: ['a/*'],
  metadata: { env: 'test' },
  expiresAt: undefined,
  tokenType: undefined,
  ...more,
});
const account = (name: string, more: Partial<VirtualAccountIdentity>): VirtualAccountIdentity => ({
  name,
  tags: {},
  identities: [],
  ...more,
});

forEachEngine('issuing keys', (engine) => {
  let mint: KeyMint;
  before(async () => {
    const place = await engine.newPlace();
    const database = await engine.open(place);
    const signingKey = await publishedSigningKey(database, place.dataDir, assert.fail);
    assert.deepEqual(await listSigningKeys(database), [signingKey.verification]);
    const virtualAccounts = [
      account('opaque', { tokenType: 'opaque' }),
      account('rotating', { autoRotate: { intervalMs: 30 * DAY_MS, graceMs: DAY_MS } }),
      account('over', { expiresAtMs: Date.now() - 1 }),
    ];
    mint = { database, signingKey, rules: { virtualAccounts } };
  });
  async function issue(more: Partial<KeyWish> = {}) {
    const issued = await issueKey(mint, wish(more), new Date());
    assert.ok(!(issued instanceof GatewayError), issued instanceof GatewayError ? issued.message : '');
    return issued;
  }
  async function rotate(id: string, graceMs: number) {
    const rotated = await rotateKey(mint, id, graceMs);
    assert.ok(!(rotated instanceof GatewayError), rotated instanceof GatewayError ? rotated.message : '');
    return rotated;
  }

  it('the store keeps the digest of an opaque key and nothing of a JWT', async () => {
    const opaque = await issue({ tokenType: 'opaque' });
    assert.match(opaque.token, /^sk-sluice-[\w-]{43}$/);
    assert.equal((await findKey(mint.database, opaque.key.id))?.tokenHash, hash('sha256', opaque.token, 'hex'));
    const jwt = await issue();
    assert.equal((await findKey(mint.database, jwt.key.id))?.tokenHash, undefined);
    assert.ok(!JSON.stringify(await storedKeys(mint.database)).includes(opaque.token.slice(10)));
  });

  it('a key is made as its account says, unless its request says otherwise', async () => {
    assert.equal((await issue({ subject: 'virtualaccount:opaque' })).key.tokenType, 'opaque');
    assert.equal((await issue({ subject: 'virtualaccount:opaque', tokenType: 'jwt' })).key.tokenType, 'jwt');
    assert.equal((await issue({ subject: 'user:opaque' })).key.tokenType, 'jwt');
    const { key } = await issue({ subject: 'virtualaccount:rotating' });
    assert.equal(key.expiresAt && key.expiresAt.getTime() - key.createdAt.getTime(), 31 * DAY_MS);
    const at = (days: number) => new Date(key.createdAt.getTime() + days * DAY_MS);
    assert.deepEqual([isDue(key, at(29), mint.rules), isDue(key, at(30), mint.rules)], [false, true]);
    const expiresAt = new Date(Date.now() + DAY_MS);
    assert.deepEqual((await issue({ subject: 'virtualaccount:rotating', expiresAt })).key.expiresAt, expiresAt);
  });

  it('a key for an expired account, or a JWT too long to be presented, is refused and not stored', async () => {
    const count = (await storedKeys(mint.database)).length;
    const metadata = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 'x'.repeat(100)]));
    for (const more of [{ subject: 'virtualaccount:over' }, { metadata }]) {
      const issued = await issueKey(mint, wish(more), new Date());
      assert.ok(issued instanceof GatewayError && issued.code === 'invalid_parameter');
    }
    assert.equal((await storedKeys(mint.database)).length, count);
    assert.ok((await issue({ metadata, tokenType: 'opaque' })).token, 'an opaque one may say as much as it likes');
  });

  it('a rotated key has a successor of the same kind, claims and lifetime', async () => {
    const old = await issue({ tokenType: 'opaque', expiresAt: new Date(Date.now() + 10 * DAY_MS) });
    const { key, worksUntil } = await rotate(old.key.id, DAY_MS);
    assert.notEqual(key.id, old.key.id);
    const { name, subject, teams, models, metadata, tokenType } = old.key;
    assert.partialDeepStrictEqual(key, { name, subject, teams, models, metadata, tokenType });
    const lifetimeMs = (each: typeof key) => (each.expiresAt?.getTime() ?? 0) - each.createdAt.getTime();
    assert.equal(lifetimeMs(key), lifetimeMs(old.key));
    const kept = await findKey(mint.database, old.key.id);
    assert.deepEqual([kept?.replacedBy, kept?.revokedAt], [key.id, worksUntil]);
  });

  it('a key never outlives its own expiry by the grace of a rotation', async () => {
    const expiresAt = new Date(Date.now() + 60_000);
    const old = await issue({ expiresAt });
    assert.deepEqual((await rotate(old.key.id, DAY_MS)).worksUntil, expiresAt);
  });

  it('a key is rotated once; a revoked, expired or unknown key is not rotated', async () => {
    const once = await issue();
    const [first, second] = await Promise.all([rotateKey(mint, once.key.id, 0), rotateKey(mint, once.key.id, 0)]);
    const refusals = [first, second].filter((each) => each instanceof GatewayError);
    assert.deepEqual(
      refusals.map((each) => each.code),
      ['conflict'],
    );
    const revoked = await issue();
    await revokeKey(mint.database, revoked.key.id, new Date());
    const createdAt = new Date(Date.now() - 2000);
    const expired = {
      id: newKeyId(),
      subject: 'user:a',
      teams: [],
      metadata: {},
      createdAt,
      expiresAt: new Date(Date.now() - 1000),
    };
    await insertKey(mint.database, expired);
    for (const [id, code] of [
      [revoked.key.id, 'conflict'],
      [expired.id, 'conflict'],
      ['key_nobody', 'not_found'],
    ] as const) {
      const rotated = await rotateKey(mint, id, 0);
      assert.equal(rotated instanceof GatewayError && rotated.code, code);
    }
  });
});
