import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { calculateJwkThumbprint, exportJWK, importSPKI, jwtVerify } from 'jose';
import { KeyRing } from '../../../src/authentication/authenticate.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { loadOrMakeDefaultKey } from '../../../src/store/default-key.ts';
import { mintToken } from '../../../src/store/key-token.ts';
import { loadOrMakeSigningKey } from '../../../src/store/signing-key.ts';
import { StoreFault } from '../../../src/store/store-fault.ts';
import { encodedTokenHeader } from '../../../src/store/token-form.ts';
import { issuedKeys } from '../../support/issued-keys.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-signing-'));
});
afterEach(() => rm(folder, { recursive: true }));
const noWarning = (message: string) => assert.fail(message);

describe('the signing key', () => {
  it('the signing key is made once, for this user alone, and is the same ever after', async () => {
    const dataDir = join(folder, 'data');
    const made = await loadOrMakeSigningKey(dataDir, noWarning);
    const loaded = await loadOrMakeSigningKey(dataDir, noWarning);
    assert.deepEqual(loaded.verification, made.verification);
    assert.equal((await stat(join(dataDir, 'signing-key.pem'))).mode & 0o777, 0o600);
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
  });

  it('processes that start at once get one signing key, and leave no drafts', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadOrMakeSigningKey(folder, noWarning)));
    assert.equal(new Set(keys.map((key) => key.verification.keyId)).size, 1);
    assert.deepEqual(await readdir(folder), ['signing-key.pem']);
  });

  it('the signing key is named by its thumbprint, and only its public half is for others', async () => {
    const { verification } = await loadOrMakeSigningKey(folder, noWarning);
    const jwk = await exportJWK(await importSPKI(verification.publicKeyPem, 'EdDSA'));
    assert.equal(verification.keyId, await calculateJwkThumbprint(jwk));
    assert.ok(!JSON.stringify(verification).includes('PRIVATE'));
  });

  it('a signing key that others may read is warned of, without a word of it', async () => {
    await loadOrMakeSigningKey(folder, noWarning);
    const path = join(folder, 'signing-key.pem');
    await chmod(path, 0o644);
    const warnings: string[] = [];
    await loadOrMakeSigningKey(folder, (message) => warnings.push(message));
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.includes(path) && warnings[0].includes('644'));
  });

  it('a signing key that is damaged or of another kind is refused, and not replaced', async () => {
    const path = join(folder, 'signing-key.pem');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const text of ['', 'nonsense', rsa.toString()]) {
      await writeFile(path, text, { mode: 0o600 });
      await assert.rejects(
        loadOrMakeSigningKey(folder, noWarning),
        (error) => error instanceof StoreFault && error.message.includes(path),
      );
      assert.equal(await readFile(path, 'utf8'), text);
    }
  });
});

describe('a minted token', () => {
  const createdAt = new Date();
  const key = {
    id: 'key_1',
    subject: 'virtualaccount:ci',
    teams: ['t'],
    models: ['a/*'],
    metadata: { k: 'v' },
    createdAt,
    expiresAt: new Date(createdAt.getTime() + 60_000),
  };

  it('a minted token begins with the very header that verifiers compare with', async () => {
    const signingKey = await loadOrMakeSigningKey(folder, noWarning);
    const token = await mintToken(key, signingKey);
    assert.equal(token.split('.')[0], encodedTokenHeader(signingKey.verification.keyId));
  });

  it('a minted token is accepted by the key ring and by an independent library alike', async () => {
    const signingKey = await loadOrMakeSigningKey(folder, noWarning);
    const token = await mintToken(key, signingKey);
    const ring = new KeyRing({ configured: packKeys([]), issued: issuedKeys([signingKey.verification]) });
    const principal = ring.lookup(token);
    assert.ok(!(principal instanceof GatewayError));
    const { id: keyId, subject, teams, models, metadata } = key;
    assert.deepEqual(principal, { keyId, subject, teams, models, metadata });
    const publicKey = await importSPKI(signingKey.verification.publicKeyPem, 'EdDSA');
    const { payload } = await jwtVerify(token, publicKey, {
      issuer: 'sluice',
      audience: 'sluice',
      algorithms: ['EdDSA'],
    });
    assert.deepEqual([payload.sub, payload.jti], ['virtualaccount:ci', 'key_1']);
  });

  it('a minted token without models and expiry is accepted too', async () => {
    const signingKey = await loadOrMakeSigningKey(folder, noWarning);
    const token = await mintToken({ ...key, models: undefined, expiresAt: undefined }, signingKey);
    const ring = new KeyRing({ configured: packKeys([]), issued: issuedKeys([signingKey.verification]) });
    const principal = ring.lookup(token);
    assert.ok(!(principal instanceof GatewayError) && principal.models === undefined);
  });

  it('a minted token of another gateway is refused', async () => {
    const other = await loadOrMakeSigningKey(join(folder, 'other'), noWarning);
    const ours = await loadOrMakeSigningKey(join(folder, 'ours'), noWarning);
    const ring = new KeyRing({ configured: packKeys([]), issued: issuedKeys([ours.verification]) });
    assert.ok(ring.lookup(await mintToken(key, other)) instanceof GatewayError);
  });
});

describe('the default key', () => {
  it('the default key is made once, for this user alone, and opens the key ring', async () => {
    const made = await loadOrMakeDefaultKey(folder, noWarning);
    const { key, ...configured } = await loadOrMakeDefaultKey(folder, noWarning);
    assert.equal(key, made.key);
    assert.match(key, /^sk-sluice-[A-Za-z0-9_-]{32}$/);
    assert.equal((await stat(join(folder, 'default-key'))).mode & 0o777, 0o600);
    const ring = new KeyRing({ configured: packKeys([configured]), issued: issuedKeys([]) });
    const principal = ring.lookup(key);
    assert.ok(!(principal instanceof GatewayError) && principal.subject === 'user:local');
  });

  it('the default key is another one in another folder', async () => {
    const keys = await Promise.all(['a', 'b'].map((name) => loadOrMakeDefaultKey(join(folder, name), noWarning)));
    assert.notEqual(keys[0]?.key, keys[1]?.key);
  });

  it('a default key that could not be pasted into a shell is refused, and not repeated', async () => {
    for (const text of ['', 'short', "sk-sluice-';reboot;'abcdefgh"]) {
      await writeFile(join(folder, 'default-key'), text, { mode: 0o600 });
      await assert.rejects(
        loadOrMakeDefaultKey(folder, noWarning),
        (error) => error instanceof StoreFault && (text === '' || !error.message.includes(text)),
      );
    }
  });
});
