import assert from 'node:assert/strict';
import { afterEach, before, it } from 'node:test';
import {
  type ApiKey,
  findKey,
  hasIssuedKeys,
  insertKey,
  replaceKey,
  revokeKey,
  stateOf,
} from '../../src/store/api-keys.ts';
import type { Database } from '../../src/store/database.ts';
import { readKeyNotes } from '../../src/store/key-notes.ts';
import { type KeyFilter, pageOfKeys, pagesOfKeys } from '../../src/store/key-page.ts';
import { readKeyVersion } from '../../src/store/key-version.ts';
import { listSigningKeys, publishSigningKey, retireSigningKey } from '../../src/store/signing-keys.ts';
import { forEachEngine } from '../support/engines.ts';
import { storedKeys } from '../support/stored-keys.ts';

const now = new Date('2030-01-01T00:00:00Z');
const days = (count: number) => new Date(now.getTime() + count * 86_400_000);
const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id,
  subject: 'user:a@b.c',
  teams: [],
  metadata: {},
  createdAt: now,
  ...more,
});
const opaque = (id: string, more: Partial<ApiKey> = {}) =>
  key(id, { tokenType: 'opaque', tokenHash: `hash-of-${id}`, ...more });

forEachEngine('issued keys', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
  });
  afterEach(() => database.query.deleteFrom('api_keys').execute());

  it('an issued key is read back as it was stored', async () => {
    const full = key('key_1', {
      name: "o'hara",
      teams: ['a', 'b,c'],
      models: ['x/*'],
      metadata: { env: 'dev', __proto__x: 'y' },
      expiresAt: days(1),
      tokenType: 'opaque',
      tokenHash: 'abc',
    });
    await insertKey(database, full);
    await insertKey(database, key('key_2', { createdAt: days(1), models: [] }));
    const [first, second] = await storedKeys(database);
    assert.deepEqual(first, { ...full, revokedAt: undefined, replacedBy: undefined });
    assert.deepEqual(await findKey(database, 'key_1'), first);
    assert.deepEqual(
      [second?.models, second?.name, second?.expiresAt, second?.tokenType],
      [[], undefined, undefined, 'jwt'],
    );
    assert.equal(await findKey(database, 'key_3'), undefined);
  });

  it('every issued key has an id and a token of its own', async () => {
    await insertKey(database, opaque('key_1'));
    await assert.rejects(insertKey(database, key('key_1')), /UNIQUE|duplicate key/);
    await assert.rejects(insertKey(database, opaque('key_2', { tokenHash: 'hash-of-key_1' })), /UNIQUE|duplicate key/);
    for (const id of ['key_3', 'key_4']) await insertKey(database, key(id));
  });

  it('a key is revoked once: a second revocation changes nothing, and an unknown id is told', async () => {
    await insertKey(database, key('key_1'));
    assert.equal(await revokeKey(database, 'key_1', days(1)), 'revoked');
    assert.equal(await revokeKey(database, 'key_1', days(2)), 'already');
    assert.equal(await revokeKey(database, 'key_2', days(1)), 'unknown');
    assert.deepEqual((await storedKeys(database))[0]?.revokedAt, days(1));
  });

  it('a replaced key works until its grace ends, is replaced once, and may be revoked before', async () => {
    await insertKey(database, key('key_1'));
    assert.equal(await replaceKey(database, 'key_1', key('key_2'), days(1)), true);
    assert.equal(await replaceKey(database, 'key_1', key('key_3'), days(2)), false);
    assert.equal(await findKey(database, 'key_3'), undefined, 'nothing is made where nothing was replaced');
    const old = await findKey(database, 'key_1');
    assert.ok(old);
    assert.deepEqual([old.revokedAt, old.replacedBy], [days(1), 'key_2']);
    assert.deepEqual([stateOf(old, now), stateOf(old, days(1))], ['rotated', 'revoked']);
    assert.equal(await revokeKey(database, 'key_1', now), 'revoked');
    assert.deepEqual((await findKey(database, 'key_1'))?.revokedAt, now);
  });

  it('opaque keys, and revoked keys until a day after their expiry, are noted for other gateways', async () => {
    for (const [id, expiresAt] of [
      ['d', undefined],
      ['c', days(1)],
      ['b', days(-0.9)],
      ['a', days(-1.1)],
    ] as const) {
      await insertKey(database, key(id, { expiresAt }));
      await revokeKey(database, id, now);
    }
    await insertKey(database, key('e'));
    await insertKey(database, opaque('f', { models: ['m/*'], expiresAt: days(1) }));
    await insertKey(database, opaque('g', { expiresAt: days(-1.1) }));
    const notes = await readKeyNotes(database, -1, now);
    assert.deepEqual(notes.map((note) => note.id).sort(), ['b', 'c', 'd', 'f']);
    assert.deepEqual(
      notes.find((note) => note.id === 'f'),
      {
        id: 'f',
        expiresAtMs: days(1).getTime(),
        opaque: { hash: 'hash-of-f', subject: 'user:a@b.c', teams: [], models: ['m/*'], metadata: {} },
      },
    );
  });

  it('noted keys are read from a version on, whatever changed, page by page', async () => {
    await insertKey(database, key('old'));
    const seen = await readKeyVersion(database.query);
    assert.deepEqual(await readKeyNotes(database, seen, now), []);
    await insertKey(database, key('new'));
    await revokeKey(database, 'old', now);
    const notes = await readKeyNotes(database, seen, now);
    assert.deepEqual(notes, [{ id: 'new' }, { id: 'old', revokedAtMs: now.getTime() }]);
    assert.ok((await readKeyVersion(database.query)) > seen);
  });

  it('thousands of keys are all noted', async () => {
    const rows = Array.from({ length: 5100 }, (_, index) => ({
      id: `key_${index}`,
      name: null,
      subject: 'user:a@b.c',
      teams: '[]',
      models: null,
      metadata: '{}',
      created_at: now.toISOString(),
      expires_at: null,
      revoked_at: now.toISOString(),
      token_type: 'jwt',
      token_hash: null,
      replaced_by: null,
      version: 1 + (index % 3),
    }));
    for (let start = 0; start < rows.length; start += 500) {
      await database.query
        .insertInto('api_keys')
        .values(rows.slice(start, start + 500))
        .execute();
    }
    const notes = await readKeyNotes(database, -1, now);
    assert.equal(new Set(notes.map((note) => note.id)).size, rows.length);
    assert.equal(notes.length, rows.length);
  });

  it('issued keys exist from the first one until the last one is revoked', async () => {
    assert.equal(await hasIssuedKeys(database), false);
    await insertKey(database, key('key_1'));
    await insertKey(database, key('key_2'));
    await revokeKey(database, 'key_1', new Date());
    assert.equal(await hasIssuedKeys(database), true);
    await revokeKey(database, 'key_2', new Date());
    assert.equal(await hasIssuedKeys(database), false);
  });

  it('issued keys are listed by subject and state, page by page, each once', async () => {
    await insertKey(database, key('a', { createdAt: days(-9) }));
    await insertKey(database, key('b', { createdAt: days(-8), expiresAt: days(-1) }));
    await insertKey(database, key('c', { createdAt: days(-8), subject: 'virtualaccount:ci' }));
    await insertKey(database, key('d', { createdAt: days(-7) }));
    await insertKey(database, key('e', { createdAt: days(-6) }));
    await revokeKey(database, 'd', now);
    await replaceKey(database, 'e', key('f', { expiresAt: days(1) }), days(1));
    const ids = async (filter: Partial<KeyFilter>) =>
      (await pageOfKeys(database, { limit: 10, ...filter }, now))?.map((each) => each.id);
    assert.deepEqual(await ids({}), ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.deepEqual(await ids({ subject: 'virtualaccount:ci' }), ['c']);
    assert.deepEqual(await ids({ state: 'active' }), ['a', 'c', 'f']);
    assert.deepEqual(await ids({ state: 'expired' }), ['b']);
    assert.deepEqual(await ids({ state: 'revoked' }), ['d']);
    assert.deepEqual(await ids({ state: 'rotated' }), ['e']);
    const seen: string[] = [];
    for (let after: string | undefined; ; after = seen.at(-1)) {
      const page = (await ids({ limit: 2, ...(after && { after }) })) ?? [];
      if (page.length === 0) break;
      seen.push(...page);
    }
    assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.equal(await ids({ after: 'nobody' }), undefined);
  });

  it('no page of the key list is empty', async () => {
    const pages = async (limit: number) => {
      const sizes: number[] = [];
      for await (const page of pagesOfKeys(database, limit)) sizes.push(page.length);
      return sizes;
    };
    assert.deepEqual(await pages(2), []);
    for (const id of ['a', 'b', 'c', 'd']) await insertKey(database, key(id));
    assert.deepEqual(await pages(3), [3, 1]);
    assert.deepEqual(await pages(2), [2, 2]);
  });
});

forEachEngine('signing keys', (engine) => {
  it('all gateways on one database know each other’s signing keys, and a new key of a gateway replaces its old one', async () => {
    const place = await engine.newPlace();
    const [one, two] = [await engine.open(place), await engine.open(place)];
    const pem = (keyId: string) => ({ keyId, publicKeyPem: `pem of ${keyId}` });
    await publishSigningKey(one, pem('k1'), 'gw_1', now);
    await publishSigningKey(two, pem('k2'), 'gw_2', now);
    const version = await readKeyVersion(one.query);
    await publishSigningKey(two, pem('k2'), 'gw_2', now);
    assert.equal(await readKeyVersion(one.query), version, 'what is there already is no news');
    assert.deepEqual(await listSigningKeys(one), [pem('k1'), pem('k2')]);
    await publishSigningKey(one, pem('k3'), 'gw_1', now);
    assert.deepEqual(await listSigningKeys(two), [pem('k2'), pem('k3')]);
  });

  it('a rotated signing key stays known, with the end of its grace, beside the one that signs', async () => {
    const database = await engine.open();
    const pem = (keyId: string) => ({ keyId, publicKeyPem: `pem of ${keyId}` });
    await publishSigningKey(database, pem('k1'), 'gw', days(-3));
    await retireSigningKey(database, { keyId: 'k1', untilMs: undefined }, pem('k2'), 'gw', days(-2));
    const untilMs = days(1).getTime();
    await retireSigningKey(database, { keyId: 'k2', untilMs }, pem('k3'), 'gw', days(-1));
    assert.deepEqual(await listSigningKeys(database), [pem('k1'), { ...pem('k2'), untilMs }, pem('k3')]);
    const version = await readKeyVersion(database.query);
    await publishSigningKey(database, pem('k3'), 'gw', now);
    assert.equal(await readKeyVersion(database.query), version, 'that its gateway is there is no news');
    const unseen = database.query.selectFrom('signing_keys').select('kid').where('seen_at', '<>', now.toISOString());
    assert.deepEqual(await unseen.execute(), [], 'retired ones live as long as their gateway');
    // A week after its grace it is forgotten.
    await retireSigningKey(database, { keyId: 'k3', untilMs: undefined }, pem('k4'), 'gw', days(9));
    assert.deepEqual(await listSigningKeys(database), [pem('k1'), pem('k3'), pem('k4')]);
  });

  it('a rotation that broke off before the data folder got the new signing key is taken back', async () => {
    const database = await engine.open();
    const pem = (keyId: string) => ({ keyId, publicKeyPem: `pem of ${keyId}` });
    await publishSigningKey(database, pem('k1'), 'gw', days(-1));
    await retireSigningKey(database, { keyId: 'k1', untilMs: now.getTime() + 60_000 }, pem('k2'), 'gw', now);
    // The gateway looks while the rotation is under way: it must not undo it.
    await publishSigningKey(database, pem('k1'), 'gw', new Date(now.getTime() + 1_000));
    assert.deepEqual(
      (await listSigningKeys(database)).map(({ keyId }) => keyId),
      ['k1', 'k2'],
    );
    await publishSigningKey(database, pem('k1'), 'gw', new Date(now.getTime() + 120_000));
    assert.deepEqual(await listSigningKeys(database), [pem('k1')]);
  });

  it('all signing keys of a gateway are void, rotated ones too, once the one that signs was moved away', async () => {
    const database = await engine.open();
    const pem = (keyId: string) => ({ keyId, publicKeyPem: `pem of ${keyId}` });
    await publishSigningKey(database, pem('k1'), 'gw', days(-1));
    await retireSigningKey(database, { keyId: 'k1', untilMs: undefined }, pem('k2'), 'gw', now);
    await publishSigningKey(database, pem('other'), 'gw', now);
    assert.deepEqual(await listSigningKeys(database), [pem('other')]);
  });

  it('signing keys beyond the bound are dropped where their gateway was not seen for long; a live gateway keeps its old key', async () => {
    const database = await engine.open();
    const pem = (keyId: string) => ({ keyId, publicKeyPem: `pem of ${keyId}` });
    const kids = async () => (await listSigningKeys(database)).map((each) => each.keyId);
    await publishSigningKey(database, pem('lives'), 'gw_lives', days(-90));
    const gone = Array.from({ length: 1_000 }, (_, index) => ({
      kid: `gone-${String(index).padStart(4, '0')}`,
      public_key_pem: 'pem',
      gateway: `gw_${index}`,
      created_at: days(-30).toISOString(),
      // The first was seen last.
      seen_at: new Date(days(-20).getTime() - index).toISOString(),
    }));
    await database.query.insertInto('signing_keys').values(gone).execute();
    await publishSigningKey(database, pem('lives'), 'gw_lives', now);
    const thousand = await kids();
    assert.ok(thousand.length === 1_000 && thousand.includes('lives') && thousand.includes('gone-0998'));
    await publishSigningKey(database, pem('new'), 'gw_new', now);
    const left = await database.query.selectFrom('signing_keys').select('kid').execute();
    assert.equal(left.length, 1_000);
    const known = await kids();
    assert.ok(known.includes('lives') && known.includes('new') && known.includes('gone-0997'));
    assert.ok(!known.includes('gone-0998') && !known.includes('gone-0999'));
  });

  it('signing keys beyond the bound are kept while all their gateways were seen lately, the latest seen first', async () => {
    const database = await engine.open();
    const many = Array.from({ length: 1_000 }, (_, index) => ({
      kid: `k-${index}`,
      public_key_pem: 'pem',
      gateway: `gw_${index}`,
      created_at: days(-30).toISOString(),
      seen_at: new Date(days(-1).getTime() - index).toISOString(),
    }));
    await database.query.insertInto('signing_keys').values(many).execute();
    await publishSigningKey(database, { keyId: 'new', publicKeyPem: 'pem' }, 'gw_new', now);
    const left = await database.query.selectFrom('signing_keys').select('kid').execute();
    assert.equal(left.length, 1_001);
    const known = (await listSigningKeys(database)).map((each) => each.keyId);
    assert.ok(known.length === 1_000 && known.includes('new') && !known.includes('k-999'));
  });

  it('a gateway is noted as alive by a write that makes no other gateway read the keys again', async () => {
    const database = await engine.open();
    const key = { keyId: 'k', publicKeyPem: 'pem' };
    await publishSigningKey(database, key, 'gw', days(-1));
    const version = await readKeyVersion(database.query);
    await publishSigningKey(database, key, 'gw', now);
    const row = await database.query.selectFrom('signing_keys').selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([row.created_at, row.seen_at], [days(-1).toISOString(), now.toISOString()]);
    assert.equal(await readKeyVersion(database.query), version);
  });
});
