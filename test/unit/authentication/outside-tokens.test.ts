import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { KeyRing } from '../../../src/authentication/authenticate.ts';
import type { KeyRingOptions } from '../../../src/authentication/key-ring-options.ts';
import type { Identities, IdentityProvider } from '../../../src/config/identities/identities.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { OrError, Principal } from '../../../src/core/exchange.ts';
import { readKeySet } from '../../../src/identity/issuer-key.ts';
import type { IssuerKeySet } from '../../../src/threads/identity-messages.ts';
import { issuedKeys } from '../../support/issued-keys.ts';
import { type IssuerKeyPair, keyPair, signToken } from '../../support/token-issuer.ts';

const ISSUER = 'https://login.example.com/';
const JWKS = 'https://login.example.com/keys';
const seconds = () => Math.floor(Date.now() / 1000);

const provider = (more: Partial<IdentityProvider> = {}): IdentityProvider => ({
  name: 'login',
  issuer: ISSUER,
  jwksUri: JWKS,
  audiences: ['sluice'],
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  subjectClaim: 'email',
  subjectKind: 'user',
  teamsClaim: 'groups',
  authorizedSubjects: [],
  ...more,
});
const identities = (more: Partial<Identities> = {}): Identities => ({
  users: [],
  teams: [],
  virtualAccounts: [],
  identityProviders: [provider()],
  grants: [],
  ...more,
});

let rsa: IssuerKeyPair;
let ec: IssuerKeyPair;
let ed: IssuerKeyPair;
before(async () => {
  [rsa, ec, ed] = await Promise.all([keyPair('rsa-1'), keyPair('ec-1', 'ES256'), keyPair('ed-1', 'EdDSA')]);
});

function keysOf(...pairs: IssuerKeyPair[]): IssuerKeySet {
  const read = readKeySet(JSON.stringify({ keys: pairs.map((pair) => pair.jwk) }));
  assert.ok('keys' in read);
  return { provider: 'login', jwksUri: JWKS, keys: read.keys };
}
function ringOf(options: Partial<KeyRingOptions> = {}): KeyRing {
  return new KeyRing({
    configured: packKeys([]),
    issued: issuedKeys([]),
    identities: identities(),
    issuerKeys: [keysOf(rsa, ec, ed)],
    ...options,
  });
}
const claims = (more: object = {}) => ({
  iss: ISSUER,
  aud: 'sluice',
  sub: 'u-1',
  jti: 't-1',
  email: 'Ann@Example.com',
  groups: ['search', 'ml'],
  ...more,
});
const code = (answer: OrError<Principal>) => (answer instanceof GatewayError ? answer.code : undefined);
const detail = (answer: OrError<Principal>) => (answer instanceof GatewayError ? answer.context.detail : undefined);
function accepted(answer: OrError<Principal>): Principal {
  assert.ok(!(answer instanceof GatewayError), answer instanceof GatewayError ? answer.message : '');
  return answer;
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** An address of no other test. */
const from = (last: number) => ({ getRemoteAddress: () => new Uint8Array([192, 0, 2, last]).buffer });

describe('a token of an outside issuer', () => {
  it('an outside token stands for the user whom its claim names, with the teams of its claim, and is verified once', async () => {
    for (const pair of [rsa, ec, ed]) {
      const ring = ringOf({ checksAtOnce: 1, checksPerSecond: 0 });
      const token = await signToken(pair, claims());
      const principal = accepted(ring.lookup(token));
      assert.deepEqual(principal, {
        subject: 'user:ann@example.com',
        keyId: 'login:t-1',
        teams: ['search', 'ml'],
        models: undefined,
        metadata: {},
      });
      for (let round = 0; round < 5; round += 1) assert.equal(ring.lookup(token), principal);
    }
  });

  it('an outside token is named in records by its id, or by a digest where the id could be anything', async () => {
    const name = async (more: object) => accepted(ringOf().lookup(await signToken(rsa, claims(more)))).keyId;
    assert.equal(await name({ jti: 'a.b:c-d_1' }), 'login:a.b:c-d_1');
    assert.match(await name({ jti: 'line\nbreak' }), /^login:[0-9a-f]{16}$/);
    assert.match(await name({ jti: 'x'.repeat(65) }), /^login:[0-9a-f]{16}$/);
    assert.match(await name({ jti: undefined }), /^login:[0-9a-f]{16}$/);
  });

  it('an outside token may name its subject and teams deep in its claims, under names with dots, or as one text', async () => {
    const cases: [Partial<IdentityProvider>, object, string, string[]][] = [
      [
        { subjectClaim: 'act.sub', teamsClaim: 'realm_access.roles' },
        { act: { sub: 'deep' }, realm_access: { roles: ['a'] } },
        'user:deep',
        ['a'],
      ],
      [
        { subjectClaim: 'https://x.y/mail', teamsClaim: 'https://x.y/g' },
        { 'https://x.y/mail': 'flat@x.y', 'https://x.y/g': ['b'] },
        'user:flat@x.y',
        ['b'],
      ],
      [
        { subjectClaim: 'sub', subjectKind: 'virtualaccount', teamsClaim: 'scope' },
        { scope: 'one two,three' },
        'virtualaccount:u-1',
        ['one', 'two', 'three'],
      ],
      [
        { subjectClaim: 'number' },
        { number: 17, groups: [1, null, '', 'ok', 'line\nbreak', 'x'.repeat(200)] },
        'user:17',
        ['ok'],
      ],
    ];
    for (const [settings, more, subject, teams] of cases) {
      const ring = ringOf({ identities: identities({ identityProviders: [provider(settings)] }) });
      const principal = accepted(ring.lookup(await signToken(rsa, claims(more))));
      assert.deepEqual([principal.subject, principal.teams], [subject, teams]);
    }
  });

  it('an outside token stands for whom the configuration maps its claims to', async () => {
    const mapped = [{ provider: 'login', value: 'Ann@Example.com' }];
    const tags = {};
    const teams = [
      { name: 'by-group', members: [], tags, identities: [{ provider: 'login', value: 'ml' }] },
      { name: 'by-other', members: [], tags, identities: [{ provider: 'another', value: 'ml' }] },
    ];
    const account = { name: 'ci', tags, identities: mapped };
    const asAccount = ringOf({ identities: identities({ virtualAccounts: [account], teams }) });
    const principal = accepted(asAccount.lookup(await signToken(rsa, claims())));
    assert.deepEqual([principal.subject, principal.teams], ['virtualaccount:ci', ['by-group', 'search', 'ml']]);
    const user = { email: 'ann.real@example.com', tags, identities: mapped };
    const asUser = ringOf({ identities: identities({ users: [user] }) });
    assert.equal(accepted(asUser.lookup(await signToken(rsa, claims()))).subject, 'user:ann.real@example.com');
    const over = { ...account, expiresAtMs: Date.now() - 1 };
    const expired = ringOf({ identities: identities({ virtualAccounts: [over] }) });
    assert.equal(detail(expired.lookup(await signToken(rsa, claims()))), 'Its virtual account has expired.');
  });

  it('an address of an outside token is compared without letter case, and a letter that only looks alike is another', async () => {
    const subjectOf = async (email: string) =>
      accepted(ringOf().lookup(await signToken(rsa, claims({ email })))).subject;
    assert.equal(await subjectOf('KATE@Example.com'), 'user:kate@example.com');
    assert.equal(await subjectOf('\u212aATE@Example.com'), 'user:\u212aate@example.com');
  });

  it('an outside token opens only to those whom its provider is authorized for', async () => {
    const teams = [{ name: 'members', members: ['ann@example.com'], tags: {}, identities: [] }];
    for (const [authorizedSubjects, expected] of [
      [['user:ann@example.com'], undefined],
      [['user:*@example.com'], undefined],
      [['team:search'], undefined],
      [['team:members'], undefined],
      [['team:everyone'], undefined],
      [['user:bob@example.com', 'team:sales'], 'Its subject may not use this gateway.'],
    ] as const) {
      const settings = provider({ authorizedSubjects: [...authorizedSubjects] });
      const ring = ringOf({ identities: identities({ identityProviders: [settings], teams }) });
      assert.equal(detail(ring.lookup(await signToken(rsa, claims()))), expected, authorizedSubjects.join());
    }
  });

  it('an outside token is held to the provider of its issuer and audience, where several share an issuer', async () => {
    const ring = ringOf({
      identities: identities({
        identityProviders: [
          provider({ name: 'one', audiences: ['a'] }),
          provider({ name: 'login', audiences: ['b', 'c'] }),
        ],
      }),
    });
    assert.equal(accepted(ring.lookup(await signToken(rsa, claims({ aud: ['x', 'c'] })))).keyId, 'login:t-1');
    assert.equal(code(ring.lookup(await signToken(rsa, claims({ aud: 'x' })))), 'invalid_api_key');
  });

  it('an outside token whose key has no name is accepted while it can be only one', async () => {
    const { kid: _, ...jwk } = rsa.jwk;
    const nameless = { ...rsa, jwk };
    const token = await signToken(rsa, claims(), { kid: undefined });
    assert.equal(code(ringOf({ issuerKeys: [keysOf(nameless, ec)] }).lookup(token)), undefined);
    const other = await keyPair('rsa-2');
    assert.notEqual(code(ringOf({ issuerKeys: [keysOf(nameless, other)] }).lookup(token)), undefined);
  });

  it('an outside token is remembered until it expires, to the millisecond', async () => {
    let now = Date.now();
    const exp = seconds() + 100;
    const ring = ringOf({ now: () => now, checksAtOnce: 2, checksPerSecond: 0 });
    const token = await signToken(rsa, claims({ exp }));
    accepted(ring.lookup(token));
    now = exp * 1000 - 1;
    accepted(ring.lookup(token));
    now = exp * 1000;
    for (let round = 0; round < 3; round += 1) assert.equal(detail(ring.lookup(token)), 'It has expired.');
  });
});

describe('a token of an outside issuer that is forged or stale', () => {
  const hs256 = (secret: string | Buffer, head: object = {}) => {
    const text = `${json({ alg: 'HS256', kid: 'rsa-1', typ: 'JWT', ...head })}.${json(claims({ exp: seconds() + 60 }))}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = () => rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const forged: Record<string, () => string | Promise<string>> = {
    'alg none': () => `${json({ alg: 'none', kid: 'rsa-1' })}.${json(claims({ exp: seconds() + 60 }))}.`,
    'alg none and a signature': async () => {
      const [, body, signature] = (await signToken(rsa, claims())).split('.');
      return `${json({ alg: 'none', kid: 'rsa-1' })}.${body}.${signature}`;
    },
    'HS256 signed with the public key': () => hs256(pem()),
    'HS256 signed with the public key as the issuer publishes it': () => hs256(JSON.stringify(rsa.jwk)),
    'RS256 of a stranger under a known kid': () => signToken({ ...rsa, privateKey: stranger.privateKey }, claims()),
    'a key of its own in the head': async () => {
      const jwk = stranger.publicKey.export({ format: 'jwk' });
      return signToken({ ...rsa, privateKey: stranger.privateKey }, claims(), {
        jwk,
        jku: 'https://evil.example/keys',
        x5u: 'https://evil.example/x',
      });
    },
    'a critical extension': async () => {
      const text = `${json({ alg: 'RS256', kid: 'rsa-1', crit: ['exp'] })}.${json(claims({ exp: seconds() + 60 }))}`;
      return `${text}.${signBytes('sha256', Buffer.from(text), rsa.privateKey).toString('base64url')}`;
    },
    'an algorithm that is not listed': () => signToken({ ...rsa, alg: 'RS384' as 'RS256' }, claims()),
    'the algorithm of another kind of key': () => signToken(ec, claims(), { kid: 'rsa-1' }),
    'other claims under a good signature': async () => {
      const [head, , signature] = (await signToken(rsa, claims())).split('.');
      return `${head}.${json(claims({ email: 'root@example.com', exp: seconds() + 60 }))}.${signature}`;
    },
    'no signature': async () => (await signToken(rsa, claims())).replace(/[^.]*$/, ''),
    'a wrong issuer': () => signToken(rsa, claims({ iss: 'https://evil.example/' })),
    'no issuer': () => signToken(rsa, claims({ iss: undefined })),
    'a wrong audience': () => signToken(rsa, claims({ aud: 'others' })),
    'no audience': () => signToken(rsa, claims({ aud: undefined })),
    'an expiry that is past': () => signToken(rsa, claims({ exp: seconds() - 1 })),
    'no expiry': () => signToken(rsa, claims({ exp: undefined })),
    'an expiry that is no number': () => signToken(rsa, claims({ exp: '2999' as never })),
    'a start in the future': () => signToken(rsa, claims({ nbf: seconds() + 60 })),
    'no subject': () => signToken(rsa, claims({ email: undefined })),
    'a subject that is an object': () => signToken(rsa, claims({ email: { toString: 'x' } })),
    'a subject with a line break': () => signToken(rsa, claims({ email: 'a\nb' })),
    'an e-mail address that is not verified': () => signToken(rsa, claims({ email_verified: false })),
    'an e-mail address that is not verified, said as text': () => signToken(rsa, claims({ email_verified: 'false' })),
    'a megabyte': () => signToken(rsa, claims({ big: 'x'.repeat(1_000_000) })),
    'a body that is no JSON': () => `${json({ alg: 'RS256', kid: 'rsa-1' })}.e30x.e30x`,
    'five segments': async () => `${await signToken(rsa, claims())}.a.b`,
  };
  for (const [what, make] of Object.entries(forged)) {
    it(`an outside token with ${what} is refused, the first time and the second, and never repeated`, async () => {
      const ring = ringOf();
      const token = await make();
      for (let round = 0; round < 2; round += 1) {
        const answer = ring.lookup(token);
        assert.equal(code(answer), 'invalid_api_key');
        assert.ok(
          answer instanceof GatewayError && !JSON.stringify([answer, answer.message]).includes(token.slice(-20)),
        );
      }
      assert.equal(ring.memory.remembered, 0);
    });
  }

  it('an outside token is an unknown key where no provider is configured', async () => {
    const ring = ringOf({ identities: identities({ identityProviders: [] }), checksAtOnce: 0, checksPerSecond: 0 });
    assert.equal(code(ring.lookup(await signToken(rsa, claims()))), 'invalid_api_key');
  });
});

describe('a key of an issuer that is not known', () => {
  it('an unknown issuer key is asked for once in half a minute, and clients get 503 until it is there or known to be none', async () => {
    let now = Date.now();
    const asked: string[] = [];
    const ring = ringOf({ now: () => now, onUnknownIssuerKey: (name) => asked.push(name) });
    const next = await keyPair('rsa-2');
    const token = await signToken(next, claims({ exp: seconds() + 7200 }));
    const first = ring.lookup(token);
    assert.ok(first instanceof GatewayError);
    assert.deepEqual([first.code, first.status, first.context.retryAfterMs], ['issuer_keys_unavailable', 503, 1000]);
    assert.equal(code(ring.lookup(token)), 'issuer_keys_unavailable');
    // The issuer answered, and has no such key.
    ring.setIssuerKeys(keysOf(rsa));
    assert.equal(detail(ring.lookup(token)), 'Its signing key is not known.');
    now += 29_000;
    assert.equal(detail(ring.lookup(token)), 'Its signing key is not known.');
    assert.deepEqual(asked, ['login']);
    now += 2_000;
    assert.equal(code(ring.lookup(token)), 'issuer_keys_unavailable');
    assert.deepEqual(asked, ['login', 'login']);
    ring.setIssuerKeys(keysOf(rsa, next));
    assert.equal(code(ring.lookup(token)), undefined);
  });

  it('an issuer key that comes with a regular refresh opens to those who were refused before', async () => {
    const ring = ringOf();
    const next = await keyPair('rsa-2');
    const token = await signToken(next, claims());
    ring.lookup(token);
    ring.setIssuerKeys(keysOf(rsa));
    assert.equal(code(ring.lookup(token)), 'invalid_api_key');
    ring.setIssuerKeys(keysOf(rsa, next));
    assert.equal(code(ring.lookup(token)), undefined);
  });

  it('a token of an issuer whose keys were never fetched is 503 and not 401', async () => {
    const ring = ringOf({ issuerKeys: [] });
    const token = await signToken(rsa, claims());
    for (let round = 0; round < 3; round += 1) assert.equal(code(ring.lookup(token)), 'issuer_keys_unavailable');
    ring.setIssuerKeys(keysOf(rsa));
    assert.equal(code(ring.lookup(token)), undefined);
  });

  it('an issuer key under the name of an old one opens to those who came before it was fetched', async () => {
    const ring = ringOf();
    const next = await keyPair('rsa-1');
    const token = await signToken(next, claims());
    for (let round = 0; round < 2; round += 1) assert.equal(code(ring.lookup(token)), 'invalid_api_key');
    ring.setIssuerKeys(keysOf(next, ec, ed));
    assert.equal(code(ring.lookup(token)), undefined);
  });

  it('a withdrawn issuer key lets in none of its tokens, remembered ones included, and other tokens stay known', async () => {
    const ring = ringOf({ checksAtOnce: 3, checksPerSecond: 0 });
    const [old, kept] = [await signToken(rsa, claims()), await signToken(ec, claims())];
    for (const token of [old, kept]) accepted(ring.lookup(token));
    ring.setIssuerKeys(keysOf(ec, ed));
    assert.equal(code(ring.lookup(old)), 'issuer_keys_unavailable');
    assert.equal(code(ring.lookup(kept)), undefined);
  });

  it('a reload that takes a provider away or moves it lets in none of its tokens', async () => {
    const token = await signToken(rsa, claims());
    for (const identityProviders of [[], [provider({ jwksUri: 'https://elsewhere.example/keys' })]]) {
      const ring = ringOf();
      accepted(ring.lookup(token));
      ring.reconfigure({ keys: packKeys([]), identities: identities({ identityProviders }) });
      assert.notEqual(code(ring.lookup(token)), undefined);
    }
  });
});

describe('a token of an outside issuer after a reload of identities', () => {
  const team = (name: string, ...members: string[]) => ({ name, members, tags: {}, identities: [] });
  const onlyFor = (...authorizedSubjects: string[]) =>
    identities({ identityProviders: [provider({ authorizedSubjects })] });

  it('thousands of outside tokens are judged anew after a reload without a check of their signatures', async () => {
    const count = 3000;
    const ring = ringOf({ checksAtOnce: count, checksPerSecond: 0 });
    const tokens = await Promise.all(Array.from({ length: count }, (_, n) => signToken(ed, claims({ n }))));
    for (const token of tokens) accepted(ring.lookup(token));
    const mapped = [{ provider: 'login', value: 'ml' }];
    ring.reconfigure({
      keys: packKeys([]),
      identities: identities({ teams: [{ ...team('by-group'), identities: mapped }] }),
    });
    for (const token of tokens) assert.ok(accepted(ring.lookup(token)).teams.includes('by-group'));
    // The documents that did not come between two reloads are known, too.
    for (const name of ['a', 'b'])
      ring.reconfigure({ keys: packKeys([]), identities: identities({ teams: [team(name)] }) });
    for (const token of tokens) assert.equal(code(ring.lookup(token)), undefined);
    assert.equal(code(ring.lookup(await signToken(ed, claims({ n: count })))), 'overloaded');
  });

  it('a reload that shuts an outside token out refuses it, and the next one that does not lets it in', async () => {
    const ring = ringOf({ checksAtOnce: 1, checksPerSecond: 0 });
    const token = await signToken(rsa, claims());
    accepted(ring.lookup(token));
    for (let round = 0; round < 2; round += 1) {
      ring.reconfigure({ keys: packKeys([]), identities: onlyFor('user:bob@example.com') });
      for (let again = 0; again < 2; again += 1) {
        assert.equal(detail(ring.lookup(token)), 'Its subject may not use this gateway.');
      }
      ring.reconfigure({ keys: packKeys([]), identities: onlyFor('user:ann@example.com') });
      for (let again = 0; again < 2; again += 1) accepted(ring.lookup(token));
    }
  });

  it('an outside token ends with its virtual account, and when it expires', async () => {
    let now = Date.now();
    const exp = seconds() + 100;
    const ring = ringOf({ now: () => now, checksAtOnce: 1, checksPerSecond: 0 });
    const token = await signToken(rsa, claims({ exp }));
    accepted(ring.lookup(token));
    const account = { name: 'ci', tags: {}, identities: [{ provider: 'login', value: 'Ann@Example.com' }] };
    const over = { ...account, expiresAtMs: now - 1 };
    ring.reconfigure({ keys: packKeys([]), identities: identities({ virtualAccounts: [over] }) });
    assert.equal(detail(ring.lookup(token)), 'Its virtual account has expired.');
    ring.reconfigure({ keys: packKeys([]), identities: identities({ virtualAccounts: [account] }) });
    assert.equal(accepted(ring.lookup(token)).subject, 'virtualaccount:ci');
    ring.reconfigure({ keys: packKeys([]), identities: identities() });
    now = exp * 1000;
    for (let round = 0; round < 2; round += 1) assert.equal(detail(ring.lookup(token)), 'It has expired.');
  });

  it('an outside token of an audience, algorithm or issuer that a reload forbids is refused', async () => {
    for (const change of [
      { audiences: ['others'] },
      { algorithms: ['ES256'] },
      { issuer: 'https://other/' },
    ] as const) {
      const ring = ringOf();
      const token = await signToken(rsa, claims());
      accepted(ring.lookup(token));
      const changed = provider(change as Partial<IdentityProvider>);
      ring.reconfigure({ keys: packKeys([]), identities: identities({ identityProviders: [changed] }) });
      assert.equal(code(ring.lookup(token)), 'invalid_api_key');
    }
  });

  it('an outside token whose key was withdrawn meanwhile is not let in by what was known of it', async () => {
    const ring = ringOf({ checksAtOnce: 2, checksPerSecond: 0 });
    const token = await signToken(rsa, claims());
    accepted(ring.lookup(token));
    ring.reconfigure({ keys: packKeys([]), identities: identities({ teams: [team('a')] }) });
    ring.setIssuerKeys(keysOf(ec, ed));
    assert.equal(code(ring.lookup(token)), 'issuer_keys_unavailable');
    ring.setIssuerKeys(keysOf(rsa, ec, ed));
    assert.equal(code(ring.lookup(token)), 'overloaded');
  });
});

describe('a flood of forged tokens of an outside issuer', () => {
  const forge = (index: number) =>
    `${json({ alg: 'EdDSA', kid: 'ed-1' })}.${json(claims({ exp: seconds() + 60, n: index }))}.${Buffer.alloc(64, index).toString('base64url')}`;

  it('a flood of forged outside tokens from one address is capped, and leaves the thread’s allowance to all others', async () => {
    const now = Date.now();
    const ring = ringOf({ now: () => now, forgeriesAtOnce: 20, checksAtOnce: 100 });
    const answers = Array.from({ length: 2000 }, (_, index) => code(ring.lookup(forge(index), from(1))));
    assert.equal(answers.filter((each) => each === 'invalid_api_key').length, 20);
    assert.equal(answers.filter((each) => each === 'overloaded').length, 1980);
    const genuine = await signToken(rsa, claims());
    assert.equal(code(ring.lookup(genuine, from(2))), undefined);
  });

  it('a flood of forged outside tokens does not slow honest clients of the same proxy', async () => {
    const now = Date.now();
    const ring = ringOf({ now: () => now, forgeriesAtOnce: 5, checksAtOnce: 100 });
    for (let index = 0; index < 50; index += 1) {
      accepted(ring.lookup(await signToken(ed, claims({ n: index })), from(3)));
    }
  });

  it('a flood of forged outside tokens from elsewhere refuses no genuine one of an honest address', async () => {
    const now = Date.now();
    const none = { forgeriesAtOnce: 5, forgeriesPerSecond: 0, checksAtOnce: 5, checksPerSecond: 0 };
    const ring = ringOf({ now: () => now, ...none });
    for (let index = 0; index < 5; index += 1) ring.lookup(forge(index), from(7));
    for (let index = 0; index < 20; index += 1)
      accepted(ring.lookup(await signToken(rsa, claims({ n: index })), from(8)));
  });

  it('an address that forges has no signature checked beyond what all addresses have together', () => {
    let now = Date.now();
    const ring = ringOf({ now: () => now, checksAtOnce: 1, checksPerSecond: 0 });
    const answers = Array.from({ length: 10 }, (_, index) => code(ring.lookup(forge(index), from(9))));
    // One of all, taken by an address of good repute, and the one that such an address has for itself.
    assert.deepEqual(answers, ['invalid_api_key', ...Array(9).fill('overloaded')]);
    now += 60_000;
    assert.equal(code(ring.lookup(forge(11), from(9))), 'invalid_api_key');
    assert.equal(code(ring.lookup(forge(12), from(9))), 'overloaded');
  });

  it('a flood of the same forged outside token costs one check', async () => {
    const ring = ringOf({ checksAtOnce: 1, checksPerSecond: 0, forgeriesAtOnce: 1, forgeriesPerSecond: 0 });
    for (let round = 0; round < 100; round += 1) assert.equal(code(ring.lookup(forge(1), from(4))), 'invalid_api_key');
  });

  it('a flood of forged outside tokens under made-up key ids asks the issuer once, and uses the same allowance', () => {
    const now = Date.now();
    const asked: string[] = [];
    const ring = ringOf({ now: () => now, forgeriesAtOnce: 20, onUnknownIssuerKey: (name) => asked.push(name) });
    const made = (index: number) =>
      `${json({ alg: 'EdDSA', kid: `k${index}` })}.${json(claims({ exp: seconds() + 60 }))}.e30x`;
    const answers = Array.from({ length: 500 }, (_, index) => code(ring.lookup(made(index), from(5))));
    assert.equal(asked.length, 1);
    assert.equal(answers.filter((each) => each === 'overloaded').length, 480);
  });

  it('a flood of forged outside tokens leaves a bounded memory', () => {
    const ring = ringOf({ checksAtOnce: 30_000, forgeriesAtOnce: 30_000 });
    const text = `${json({ alg: 'EdDSA', kid: 'ed-1' })}.`;
    for (let index = 0; index < 20_000; index += 1) ring.lookup(`${text}${json({ n: index })}.AAAA`, from(6));
    assert.ok(ring.memory.rejected <= 16_384 && ring.memory.remembered === 0);
  });
});
