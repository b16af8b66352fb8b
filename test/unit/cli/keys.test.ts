import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KeyRing } from '../../../src/authentication/authenticate.ts';
import { keysCreate, keysList, keysRevoke } from '../../../src/cli/keys.ts';
import { type KeysCreateOptions, readKeyWish } from '../../../src/cli/keys-options.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { readKeyNotes } from '../../../src/store/key-notes.ts';
import { loadOrMakeSigningKey } from '../../../src/store/signing-key.ts';
import { issuedKeys } from '../../support/issued-keys.ts';

let dataDir: string;
const place = () => ({ database: 'sqlite', dataDir });
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

const subject = 'virtualaccount:ci';
const silent = (message: string) => assert.fail(message);

function recorder() {
  const lines: { out: string[]; error: string[] } = { out: [], error: [] };
  return {
    ...lines,
    output: { out: (text: string) => lines.out.push(text), error: (text: string) => lines.error.push(text) },
  };
}
async function create(options: KeysCreateOptions): Promise<string> {
  const { out, error, output } = recorder();
  assert.equal(await keysCreate(options, place(), output), 0, error.join('\n'));
  assert.equal(out.length, 1, 'the token alone is on stdout');
  return out[0] ?? '';
}
async function ring(): Promise<KeyRing> {
  const { verification } = await loadOrMakeSigningKey(dataDir, silent);
  const database = await openDatabase(dataDir);
  const notes = await readKeyNotes(database, -1, new Date());
  await database.close();
  return new KeyRing({ configured: packKeys([]), issued: issuedKeys([verification], notes) });
}

describe('sluice keys', () => {
  it('sluice keys create prints a token that stands for what was asked', async () => {
    const token = await create({
      subject,
      models: 'a/b, c/*',
      teams: 'x,y',
      metadata: ['k=v', 'e=a=b'],
      expires: '90d',
    });
    const principal = (await ring()).lookup(token);
    assert.ok(!(principal instanceof GatewayError));
    assert.deepEqual(
      { ...principal, keyId: undefined },
      { subject, keyId: undefined, teams: ['x', 'y'], models: ['a/b', 'c/*'], metadata: { k: 'v', e: 'a=b' } },
    );
  });

  it('sluice keys create makes a token that ends when it was said to', async () => {
    const token = await create({ subject, expires: '2w' });
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    assert.equal(claims.exp - claims.iat, 14 * 86_400);
    const { verification } = await loadOrMakeSigningKey(dataDir, silent);
    const later = () => claims.exp * 1000;
    const expired = new KeyRing({ configured: packKeys([]), issued: issuedKeys([verification]), now: later });
    assert.ok(expired.lookup(token) instanceof GatewayError);
  });

  it('sluice keys revoke voids a key; a second time is no error, and an unknown id is one', async () => {
    const token = await create({ subject });
    const principal = (await ring()).lookup(token);
    assert.ok(!(principal instanceof GatewayError));
    const { output, out, error } = recorder();
    assert.equal(await keysRevoke(principal.keyId, place(), output), 0);
    assert.ok((await ring()).lookup(token) instanceof GatewayError);
    assert.equal(await keysRevoke(principal.keyId, place(), output), 0);
    assert.equal(await keysRevoke('key_nobody', place(), output), 1);
    assert.match(error.at(-1) ?? '', /no key "key_nobody"/);
    assert.deepEqual(out, []);
  });

  it('sluice keys list shows every key with its state, and no token', async () => {
    const tokens = [await create({ subject, name: 'first', models: 'a/*' }), await create({ subject, expires: '30s' })];
    const { output, out } = recorder();
    assert.equal(await keysList(place(), output), 0);
    assert.equal(out.length, 3);
    assert.match(out[1] ?? '', /^key_\w+ +active +virtualaccount:ci +first +- +a\/\* +- +\S+Z +never +jwt$/);
    for (const token of tokens)
      for (const part of token.split('.')) assert.ok(!out.some((line) => line.includes(part)));
    const id = out[1]?.split(' ')[0] ?? '';
    await keysRevoke(id, place(), recorder().output);
    const again = recorder();
    await keysList(place(), again.output);
    assert.ok(again.out.some((line) => line.startsWith(`${id}  revoked`)));
  });

  it('sluice keys list says on standard error how to make the first key', async () => {
    const { output, out, error } = recorder();
    await (await openDatabase(dataDir)).close();
    assert.equal(await keysList(place(), output), 0);
    assert.deepEqual(out, []);
    assert.match(error.join(), /keys create/);
  });

  it('every keys command that cannot use the data folder says so and exits with 1', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    const { output, out, error } = recorder();
    assert.equal(await keysCreate({ subject }, { ...place(), dataDir: file }, output), 1);
    assert.equal(await keysList({ ...place(), dataDir: file }, output), 1);
    assert.equal(await keysRevoke('key_1', { ...place(), dataDir: file }, output), 1);
    assert.deepEqual(out, []);
    assert.ok(error.length === 3 && error.every((line) => line.includes(file)));
  });

  it('sluice keys create refuses a key too long to be presented, and stores none', async () => {
    const metadata = Array.from({ length: 100 }, (_, index) => `key${index}=${'x'.repeat(100)}`);
    const { output, out, error } = recorder();
    assert.equal(await keysCreate({ subject, metadata }, place(), output), 1);
    assert.match(error.join(), /8192/);
    assert.equal(await keysList(place(), output), 0);
    assert.deepEqual(out, []);
  });
});

describe('a wish for a key', () => {
  const spans: [string, number][] = [
    ['30s', 30e3],
    ['15m', 900e3],
    ['12h', 43_200e3],
    ['90d', 7_776_000e3],
    ['2w', 1_209_600e3],
  ];
  for (const [text, lifetimeMs] of spans) {
    it(`a key may be asked to last ${text}`, () => {
      const wish = readKeyWish({ subject, expires: text }, new Date(0));
      assert.ok(!Array.isArray(wish));
      assert.equal(wish.expiresAt?.getTime(), lifetimeMs);
    });
  }

  const faulty: [Partial<KeysCreateOptions>, RegExp][] = [
    [{ subject: '' }, /--subject: found ""; allowed/],
    [{ subject: 'ci' }, /--subject/],
    [{ subject: 'team:x' }, /--subject/],
    [{ subject: 'user:' }, /--subject/],
    [{ subject: 'user:a\nb' }, /--subject/],
    [{ subject: 'user:a b' }, /--subject/],
    [{ subject: `user:${'a'.repeat(257)}` }, /--subject/],
    ...['', '0d', '90', '-1d', '1.5h', '1y', '90 d', '999999d', 'd'].map(
      (expires): [Partial<KeysCreateOptions>, RegExp] => [{ expires }, /--expires: found .*; allowed .*90d/],
    ),
    [{ tokenType: 'pat' }, /--token-type: found "pat"; allowed are jwt and opaque/],
    [{ models: '' }, /--models/],
    [{ models: 'a/b,,c/d' }, /--models/],
    [{ models: 'a/b c' }, /--models/],
    [{ teams: ',' }, /--teams/],
    [{ name: '' }, /--name/],
    [{ name: 'a\u001b[2J' }, /--name/],
    [{ metadata: ['k'] }, /--metadata: found "k"; allowed is KEY=VALUE/],
    [{ metadata: ['=v'] }, /--metadata/],
    [{ metadata: ['k=1', 'k=2'] }, /"k" is given twice/],
    [{ metadata: [`k=${'v'.repeat(129)}`] }, /--metadata/],
  ];
  for (const [options, expected] of faulty) {
    it(`a key request with ${JSON.stringify(options).slice(0, 60)} is refused by name`, () => {
      const faults = readKeyWish({ subject, ...options }, new Date());
      assert.ok(Array.isArray(faults));
      assert.match(faults.join('\n'), expected);
    });
  }

  it('a key request with several faults is told all of them', () => {
    const faults = readKeyWish({ subject: 'x', expires: 'y', models: ' ', metadata: ['z'] }, new Date());
    assert.ok(Array.isArray(faults));
    assert.equal(faults.length, 4);
  });
});
