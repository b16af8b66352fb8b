import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { KeyRing } from '../../../src/authentication/authenticate.ts';
import type { KeyRingOptions } from '../../../src/authentication/key-ring-options.ts';
import { presentedKey } from '../../../src/authentication/presented-key.ts';
import type { IdentityProvider } from '../../../src/config/identities/identities.ts';
import { type ConfiguredKey, packKeys } from '../../../src/config/packed-keys.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { OrError, Principal } from '../../../src/core/exchange.ts';
import type { KeyNote } from '../../../src/store/key-notes.ts';
import { issuedKeys } from '../../support/issued-keys.ts';

const signing = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const publicKeyPem = signing.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const keyId = 'kid-1';
const NOW = 1_800_000_000_000;
const nowSeconds = NOW / 1000;

const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const goodHeader = { alg: 'EdDSA', kid: keyId, typ: 'JWT' };
const goodClaims = {
  iss: 'sluice',
  aud: 'sluice',
  sub: 'virtualaccount:ci',
  jti: 'key_1',
  iat: nowSeconds - 60,
  exp: nowSeconds + 60,
  teams: ['search'],
  models: ['openai/*'],
  metadata: { env: 'dev' },
};
const token = (claims: object, header: object = goodHeader, privateKey = signing.privateKey) => {
  const text = `${json(header)}.${json(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
};
const configuredKey = (key: string, more: Partial<ConfiguredKey> = {}): ConfiguredKey => ({
  name: 'configured',
  keySha256: createHash('sha256').update(key).digest('hex'),
  subject: 'user:bob@example.com',
  teams: [],
  metadata: {},
  ...more,
});
const ringOf = (options: Partial<KeyRingOptions> = {}) =>
  new KeyRing({ configured: packKeys([]), issued: issuedKeys([{ keyId, publicKeyPem }]), now: () => NOW, ...options });
const nobodyElse = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
/** News of notes alone. */
const told = (...notes: KeyNote[]) => ({ startsAnew: false, signingKeys: [{ keyId, publicKeyPem }], notes });
const code = (answer: OrError<Principal>) => (answer instanceof GatewayError ? answer.code : undefined);
const detail = (answer: OrError<Principal>) => (answer instanceof GatewayError ? answer.context.detail : undefined);

describe('a configured key', () => {
  it('a configured key is accepted whatever printable characters it holds, and stands for its principal', () => {
    for (const key of ['s3cret', 'two words  and three', '~!@#$%^&*()_+{}|:"<>?`-=[]\\;\',./', 'a.b.c', 'clé ✓']) {
      const ring = ringOf({
        configured: packKeys([configuredKey('other'), configuredKey(key, { name: 'this', teams: ['t'] })]),
      });
      const expected = {
        subject: 'user:bob@example.com',
        keyId: 'this',
        teams: ['t'],
        models: undefined,
        metadata: {},
      };
      assert.deepEqual(ring.lookup(key), expected);
      assert.equal(ring.lookup(key), ring.lookup(key), 'one principal for all its exchanges');
    }
  });

  it('a caller with a configured key is judged anew after a reload: refused if the key is gone, else as it says now', () => {
    const ring = ringOf({ configured: packKeys([configuredKey('s3cret', { teams: ['a'] })]) });
    const principal = ring.lookup('s3cret');
    assert.ok(!(principal instanceof GatewayError));
    assert.equal(ring.renewed(principal), principal);
    ring.reconfigure({
      keys: packKeys([configuredKey('s3cret', { teams: ['b'], models: ['x/*'] })]),
      identities: nobodyElse,
    });
    const renewed = ring.renewed(principal);
    assert.ok(!(renewed instanceof GatewayError));
    assert.deepEqual([renewed.teams, renewed.models], [['b'], ['x/*']]);
    ring.reconfigure({ keys: packKeys([configuredKey('another')]), identities: nobodyElse });
    assert.equal(code(ring.renewed(principal)), 'invalid_api_key');
    assert.equal(code(ring.renewed(renewed)), 'invalid_api_key');
  });

  it('a configured key given by an upper-case digest is the same key', () => {
    const key = configuredKey('s3cret');
    assert.equal(
      code(ringOf({ configured: packKeys([{ ...key, keySha256: key.keySha256.toUpperCase() }]) }).lookup('s3cret')),
      undefined,
    );
  });

  it('a key that is wrong in one letter, cut, longer, or the digest itself, is refused', () => {
    const ring = ringOf({ configured: packKeys([configuredKey('s3cret')]) });
    for (const wrong of ['', 's3creu', 's3cre', 's3crett', ' s3cret', 'S3CRET', configuredKey('s3cret').keySha256])
      assert.equal(code(ring.lookup(wrong)), 'invalid_api_key', wrong);
  });

  it('a key of a provider is refused as such, unless it is a key of the gateway', () => {
    const ring = ringOf({ configured: packKeys([configuredKey('sk-proj-ours')]) });
    for (const theirs of ['sk-proj-abc', 'sk-ant-api03-abc', 'AIzaSyAbc', 'gsk_abc', 'sk-or-v1-abc']) {
      assert.equal(code(ring.lookup(theirs)), 'invalid_api_key');
      assert.match(detail(ring.lookup(theirs)) ?? '', /looks like the key of a provider.*a key of the gateway itself/);
    }
    assert.equal(code(ring.lookup('sk-proj-ours')), undefined);
    assert.equal(detail(ring.lookup('sk-sluice-abc')), undefined);
  });

  it('a configured key that a reload took away is refused from the next request on, while verified tokens stay known', () => {
    const ring = ringOf({ configured: packKeys([configuredKey('old')]), checksAtOnce: 1, checksPerSecond: 0 });
    const text = token(goodClaims);
    assert.deepEqual([code(ring.lookup('old')), code(ring.lookup(text))], [undefined, undefined]);
    ring.reconfigure({ keys: packKeys([configuredKey('new')]), identities: nobodyElse });
    assert.deepEqual(
      ['old', 'new', text].map((key) => code(ring.lookup(key))),
      ['invalid_api_key', undefined, undefined],
    );
  });

  it('a wrong key costs the same beside 20,000 configured keys as beside one', () => {
    const many = ringOf({
      configured: packKeys(Array.from({ length: 20_000 }, (_, index) => configuredKey(`key-${index}`))),
    });
    const one = ringOf({ configured: packKeys([configuredKey('key-0')]) });
    const wrong = Array.from({ length: 2000 }, (_, index) => `wrong-${index}`);
    const cost = (ring: KeyRing) => {
      const rounds = Array.from({ length: 7 }, () => {
        const startedAt = performance.now();
        for (const key of wrong) ring.lookup(key);
        return performance.now() - startedAt;
      });
      return Math.min(...rounds);
    };
    // Trying one after the other would be some thousand times as much; the room is for a busy machine.
    assert.ok(cost(many) < 10 * cost(one));
  });

  it('a configured key is remembered, and a wrong one leaves nothing behind', () => {
    const ring = ringOf({ configured: packKeys([configuredKey('s3cret')]) });
    ring.lookup('s3cret');
    for (let index = 0; index < 100_000; index += 1) ring.lookup(`wrong-${index}`);
    assert.deepEqual(ring.memory, { remembered: 1, rejected: 0 });
  });
});

describe('a token', () => {
  it('a token signed by us stands for the principal it names, and is verified once', () => {
    const ring = ringOf({ checksAtOnce: 1, checksPerSecond: 0 });
    const text = token(goodClaims);
    const principal = ring.lookup(text);
    assert.deepEqual(principal, {
      subject: 'virtualaccount:ci',
      keyId: 'key_1',
      teams: ['search'],
      models: ['openai/*'],
      metadata: { env: 'dev' },
    });
    for (let round = 0; round < 10; round += 1) assert.equal(ring.lookup(text), principal);
  });

  it('a token without teams, models, metadata and expiry may use all models for good', () => {
    const { iss, aud, sub, jti, iat } = goodClaims;
    const ring = ringOf({ now: () => NOW + 1e12 });
    const expected = { subject: sub, keyId: jti, teams: [], models: undefined, metadata: {} };
    assert.deepEqual(ring.lookup(token({ iss, aud, sub, jti, iat })), expected);
  });

  const good = token(goodClaims);
  const [head = '', body = '', signature = ''] = good.split('.');
  const hs256 = (secret: string | Buffer) => {
    const text = `${json({ ...goodHeader, alg: 'HS256' })}.${body}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const without = (name: keyof typeof goodClaims) => ({ ...goodClaims, [name]: undefined });
  const forged: Record<string, string> = {
    'none at all': '',
    'two dots': '..',
    garbage: randomBytes(300).toString('latin1'),
    'no signature': `${head}.${body}.`,
    'two segments': `${head}.${body}`,
    'four segments': `${good}.x`,
    'a wrong signature': `${head}.${body}.${randomBytes(64).toString('base64url')}`,
    'a cut signature': good.slice(0, -2),
    'a signature written another way': `${good.slice(0, -1)}${signature.endsWith('A') ? 'B' : String.fromCharCode(signature.charCodeAt(85) + 1)}`,
    'foreign letters in the signature': `${head}.${body}.${signature.slice(0, 40)}!${signature.slice(40)}`,
    'padding behind the signature': `${good}==`,
    'other claims under a good signature': `${head}.${json({ ...goodClaims, sub: 'user:root@example.com' })}.${signature}`,
    'another signer': token(goodClaims, goodHeader, stranger.privateKey),
    'alg none': `${json({ ...goodHeader, alg: 'none' })}.${body}.`,
    'alg none with a signature': token(goodClaims, { ...goodHeader, alg: 'none' }),
    'alg in small letters': token(goodClaims, { ...goodHeader, alg: 'eddsa' }),
    'HS256 signed with the public key': hs256(publicKeyPem),
    'HS256 signed with the raw public key': hs256(signing.publicKey.export({ type: 'spki', format: 'der' })),
    'an unknown kid': token(goodClaims, { ...goodHeader, kid: 'kid-2' }),
    'no kid': token(goodClaims, { alg: 'EdDSA', typ: 'JWT' }),
    'no typ': token(goodClaims, { alg: 'EdDSA', kid: keyId }),
    'a key of its own in the header': token(goodClaims, {
      ...goodHeader,
      jwk: stranger.publicKey.export({ format: 'jwk' }),
    }),
    'a critical extension': token(goodClaims, { ...goodHeader, crit: ['b64'], b64: false }),
    'another issuer': token({ ...goodClaims, iss: 'someone' }),
    'no issuer': token(without('iss')),
    'another audience': token({ ...goodClaims, aud: 'someone' }),
    'no audience': token(without('aud')),
    'no subject': token(without('sub')),
    'a subject of no kind': token({ ...goodClaims, sub: 'bob' }),
    'a subject of an unknown kind': token({ ...goodClaims, sub: 'admin:bob' }),
    'a subject with a line break': token({ ...goodClaims, sub: 'user:bob\nroot' }),
    'no id': token(without('jti')),
    'an expiry that is no number': token({ ...goodClaims, exp: '2999-01-01' }),
    'claims that are no object': token([1, 2]),
    'an expiry that is past': token({ ...goodClaims, exp: nowSeconds }),
    'a start in the future': token({ ...goodClaims, nbf: nowSeconds + 31 }),
    'a megabyte': token({ ...goodClaims, metadata: { big: 'x'.repeat(1_000_000) } }),
  };
  for (const [what, text] of Object.entries(forged)) {
    it(`a token with ${what} is refused, the first time and the second`, () => {
      const ring = ringOf();
      assert.equal(code(ring.lookup(text)), 'invalid_api_key');
      assert.equal(code(ring.lookup(text)), 'invalid_api_key');
      assert.equal(ring.memory.remembered, 0);
    });
  }

  it('a refused token is never repeated in the error', () => {
    for (const text of Object.values(forged)) {
      const answer = ringOf().lookup(text);
      assert.ok(answer instanceof GatewayError);
      if (text.length > 20) assert.ok(!JSON.stringify([answer, answer.message]).includes(text.slice(0, 20)));
    }
  });

  it('a remembered token that expires is refused from that millisecond on, and not checked again', () => {
    let now = NOW;
    const ring = ringOf({ now: () => now, checksAtOnce: 2, checksPerSecond: 0 });
    const text = token(goodClaims);
    now = NOW + 59_999;
    assert.equal(code(ring.lookup(text)), undefined);
    now = NOW + 60_000;
    for (let round = 0; round < 5; round += 1) assert.equal(detail(ring.lookup(text)), 'It has expired.');
    assert.deepEqual(ring.memory, { remembered: 0, rejected: 1 });
  });

  it('a token that is not valid yet is accepted once its time has come, or 30 seconds before', () => {
    let now = NOW;
    const ring = ringOf({ now: () => now });
    const text = token({ ...goodClaims, nbf: nowSeconds + 40 });
    assert.equal(detail(ring.lookup(text)), 'It is not valid yet.');
    now = NOW + 10_000;
    assert.equal(code(ring.lookup(text)), undefined);
  });

  it('a revoked token is refused from the next request on, and the others stay known', () => {
    const ring = ringOf({ checksAtOnce: 3, checksPerSecond: 0 });
    const one = token(goodClaims);
    const two = token({ ...goodClaims, jti: 'key_2' });
    for (const text of [one, two]) assert.equal(code(ring.lookup(text)), undefined);
    ring.setIssued(told({ id: 'key_1', revokedAtMs: NOW - 1 }));
    for (let round = 0; round < 5; round += 1) {
      assert.equal(detail(ring.lookup(one)), 'It was revoked.');
      assert.equal(code(ring.lookup(two)), undefined);
    }
  });

  it('a token that was revoked before it was ever seen is refused, until the list names it no more', () => {
    const ring = ringOf({ issued: issuedKeys([{ keyId, publicKeyPem }], [{ id: 'key_1', revokedAtMs: NOW - 1 }]) });
    const text = token(goodClaims);
    assert.equal(code(ring.lookup(text)), 'invalid_api_key');
    ring.setIssued(told({ id: 'key_1' }));
    assert.equal(code(ring.lookup(text)), undefined);
  });

  it('a token of either signing key is accepted during a rotation, and none is where there is no signing key', () => {
    const second = stranger.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const ring = ringOf({
      issued: issuedKeys([
        { keyId, publicKeyPem },
        { keyId: 'kid-2', publicKeyPem: second },
      ]),
    });
    assert.equal(code(ring.lookup(token(goodClaims))), undefined);
    assert.equal(code(ring.lookup(token(goodClaims, { ...goodHeader, kid: 'kid-2' }, stranger.privateKey))), undefined);
    assert.equal(code(ring.lookup(token(goodClaims, goodHeader, stranger.privateKey))), 'invalid_api_key');
    assert.equal(code(ringOf({ issued: issuedKeys([]) }).lookup(token(goodClaims))), 'invalid_api_key');
  });
});

describe('a token of another gateway', () => {
  it('a token whose signing key was rotated ends with the grace of that key, remembered or not', () => {
    let now = NOW;
    const ring = ringOf({ now: () => now, checksAtOnce: 2, checksPerSecond: 1 });
    const [remembered, unseen] = [token({ ...goodClaims, jti: 'key_1' }), token({ ...goodClaims, jti: 'key_2' })];
    assert.equal(code(ring.lookup(remembered)), undefined);
    const endingAt = (untilMs: number) => ({
      startsAnew: false,
      signingKeys: [{ keyId, publicKeyPem, untilMs }],
      notes: [],
    });
    ring.setIssued(endingAt(NOW + 10_000));
    now = NOW + 9_999;
    assert.equal(code(ring.lookup(remembered)), undefined);
    now = NOW + 10_000;
    assert.equal(detail(ring.lookup(unseen)), 'The key that signed it was retired.');
    assert.equal(detail(ring.lookup(remembered)), 'The key that signed it was retired.');
    // A rotation that broke off is taken back.
    ring.setIssued({ startsAnew: false, signingKeys: [{ keyId, publicKeyPem }], notes: [] });
    now = NOW + 12_000;
    assert.equal(code(ring.lookup(remembered)), undefined);
  });

  it('a token of another gateway is accepted as soon as its signing key is known, identity providers or not', () => {
    const provider: IdentityProvider = {
      name: 'login',
      issuer: 'https://login.example.com/',
      jwksUri: 'https://login.example.com/keys',
      audiences: [],
      algorithms: ['EdDSA'],
      subjectKind: 'user',
      subjectClaim: 'email',
      authorizedSubjects: [],
    };
    for (const identityProviders of [[], [provider]]) {
      const ring = ringOf({ issued: issuedKeys([]), identities: { ...nobodyElse, identityProviders } });
      const text = token(goodClaims);
      assert.equal(code(ring.lookup(text)), 'invalid_api_key');
      ring.setIssued(told());
      assert.equal(code(ring.lookup(text)), undefined);
    }
  });
});

describe('a flood of forged tokens', () => {
  const forgedHead = `${json(goodHeader)}.${json(goodClaims)}`;
  const forge = (index: number) => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(index);
    return `${forgedHead}.${bytes.toString('base64url')}`;
  };

  it('a flood of forged tokens costs no more signature checks than the allowance, and the rest gets 503', () => {
    const ring = ringOf({ checksAtOnce: 50 });
    const answers = Array.from({ length: 1000 }, (_, index) => ring.lookup(forge(index)));
    assert.equal(answers.filter((answer) => code(answer) === 'invalid_api_key').length, 50);
    const refused = answers.filter((answer) => code(answer) === 'overloaded');
    assert.equal(refused.length, 950);
    assert.ok(refused.every((answer) => answer instanceof GatewayError && answer.status === 503));
    assert.ok(refused.every((answer) => answer instanceof GatewayError && answer.context.retryAfterMs === 1000));
  });

  it('a flood of forged tokens does not touch known keys, and a genuine new one gets in when it comes again', () => {
    let now = NOW;
    const ring = ringOf({ now: () => now, configured: packKeys([configuredKey('s3cret')]), checksAtOnce: 10 });
    const known = token(goodClaims);
    const late = token({ ...goodClaims, jti: 'late' });
    ring.lookup(known);
    for (let index = 0; index < 100; index += 1) ring.lookup(forge(index));
    assert.deepEqual(
      [known, 's3cret', late].map((key) => code(ring.lookup(key))),
      [undefined, undefined, 'overloaded'],
    );
    now += 1000;
    assert.equal(code(ring.lookup(late)), undefined);
  });

  it('a flood of the same forged token costs one check', () => {
    const ring = ringOf({ checksAtOnce: 1, checksPerSecond: 0 });
    for (let round = 0; round < 100; round += 1) assert.equal(code(ring.lookup(forge(1))), 'invalid_api_key');
  });

  it('forged tokens under unknown key ids cost no check and leave nothing behind', () => {
    const ring = ringOf({ checksAtOnce: 0, checksPerSecond: 0 });
    for (let index = 0; index < 10_000; index += 1)
      assert.equal(code(ring.lookup(`${json({ ...goodHeader, kid: `k${index}` })}.e30.e30`)), 'invalid_api_key');
    assert.deepEqual(ring.memory, { remembered: 0, rejected: 0 });
  });

  it('100,000 distinct forged tokens leave a bounded memory', () => {
    const ring = ringOf({ checksAtOnce: 100_000 });
    // A signature whose second half is not below the group order is thrown out early, so this stays quick.
    const text = Buffer.alloc(64, 0xff);
    for (let index = 0; index < 100_000; index += 1) {
      text.writeUInt32LE(index);
      ring.lookup(`${forgedHead}.${text.toString('base64url')}`);
    }
    assert.ok(ring.memory.rejected <= 16_384 && ring.memory.rejected >= 8192);
  });
});

describe('the key a request carries', () => {
  it('the presented key is that of the bearer scheme in any letter case, with spaces inside kept', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      assert.equal(presentedKey(`${scheme} a b  c`, 'x', 'y'), 'a b  c');
    assert.equal(presentedKey('Bearer   k', undefined, undefined), 'k');
  });

  it('the presented key is x-api-key where no bearer key was sent, else api-key', () => {
    for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Basic abc', 'Bearerabc']) {
      assert.equal(presentedKey(authorization, 'x', 'y'), 'x');
      assert.equal(presentedKey(authorization, '', 'y'), 'y');
      assert.equal(presentedKey(authorization, undefined, ''), undefined);
    }
  });
});
