import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { readKeySet } from '../../../src/identity/issuer-key.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwkOf = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });
const read = (...keys: object[]) => readKeySet(JSON.stringify({ keys }));
const keysOf = (...keys: object[]) => {
  const found = read(...keys);
  return 'keys' in found ? found.keys : [];
};

describe('a key set', () => {
  it('a key set gives each key with the algorithms that its kind signs with', () => {
    const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
    const kinds: [KeyObject, string[]][] = [
      [rsa.publicKey, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
      [ec('P-256'), ['ES256']],
      [ec('P-384'), ['ES384']],
      [ec('P-521'), ['ES512']],
      [generateKeyPairSync('ed25519').publicKey, ['EdDSA']],
    ];
    for (const [key, algorithms] of kinds) {
      const [found] = keysOf(jwkOf(key, { kid: 'k' }));
      assert.deepEqual([found?.kid, found?.algorithms], ['k', algorithms]);
    }
    assert.deepEqual(keysOf(jwkOf(rsa.publicKey, { alg: 'PS256' }))[0]?.algorithms, ['PS256']);
  });

  it('keys that cannot verify are skipped: for encryption, symmetric, of unknown kinds, too short, damaged', () => {
    const good = jwkOf(rsa.publicKey, { kid: 'good' });
    const short = jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey);
    const coin = jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey);
    const others = [
      jwkOf(rsa.publicKey, { use: 'enc' }),
      jwkOf(rsa.publicKey, { key_ops: ['encrypt'] }),
      jwkOf(rsa.publicKey, { alg: 'HS256' }),
      jwkOf(rsa.publicKey, { alg: 'ES256' }),
      { kty: 'oct', k: 'c2VjcmV0', kid: 'good', alg: 'HS256' },
      { kty: 'new' },
      { kty: 'RSA', n: '!', e: 'AQAB' },
      { ...good, kid: 7 },
      // Its signature is the message itself: anybody could write it.
      { ...good, e: 'AQ' },
      short,
      coin,
    ];
    assert.deepEqual(
      keysOf(...others, good).map((key) => key.kid),
      ['good'],
    );
    assert.ok('fault' in read(...others));
  });

  it('a key set gives only public halves, whatever the issuer publishes', () => {
    const [key] = keysOf(jwkOf(rsa.privateKey, { kid: 'k' }));
    assert.match(key?.publicKeyPem ?? '', /^-----BEGIN PUBLIC KEY-----/);
  });

  it('an invalid key set is a fault that repeats nothing of it', () => {
    for (const body of ['', '{', '[]', '{"keys":{}}', '{"keys":[]}', '<html>secret</html>']) {
      const found = readKeySet(body);
      assert.ok('fault' in found && !found.fault.includes('secret'), body);
    }
    assert.ok('fault' in read(...Array.from({ length: 65 }, () => jwkOf(rsa.publicKey))));
  });
});
