import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { type IssuerKeyPair, keyPair, signToken, TokenIssuer } from '../support/token-issuer.ts';

const THREADS = 2;
let issuer: TokenIssuer;
let gateway: RunningGateway;
let first: IssuerKeyPair;
let second: IssuerKeyPair;

const claims = (more: object = {}) => ({
  iss: issuer.issuer,
  aud: 'sluice',
  email: 'Ann@Example.com',
  groups: ['search'],
  ...more,
});
/** Every token that was shown to the gateway and must be in no log. */
const shown: string[] = [];

async function ask(token: string): Promise<{ status: number; code: string | undefined; retryAfter: string | null }> {
  shown.push(token);
  const answer = await fetch(`${gateway.url}/v1/models`, {
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
  });
  const body: { error?: { code?: string } } = JSON.parse(await answer.text());
  return { status: answer.status, code: body.error?.code, retryAfter: answer.headers.get('retry-after') };
}
async function statuses(token: string): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 24 }, () => ask(token)));
  return [...new Set(answers.map((answer) => answer.status))];
}

before(async () => {
  [first, second] = await Promise.all([keyPair('key-1'), keyPair('key-2', 'ES256')]);
  issuer = await TokenIssuer.start(first);
  gateway = await startGateway({
    server: { threads: THREADS, demo: true, log: { level: 'debug', access: 'all' } },
    manifests: [
      {
        type: 'sluice/identity-provider',
        name: 'login',
        issuer: issuer.issuer,
        jwks_uri: issuer.jwksUri,
        audiences: ['sluice'],
        algorithms: ['RS256', 'ES256'],
        teams_claim: 'groups',
      },
      {
        type: 'virtual-account',
        name: 'over',
        permissions: [],
        expiration_date: '2020-01-31',
        identity_provider_mapping: [{ identity_provider: 'login', value: 'over@example.com' }],
      },
    ],
  });
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});
describe('a token of an outside issuer', () => {
  it('a token of an outside issuer opens the gateway on every thread, for the user whom it names', async () => {
    const token = await signToken(first, claims({ jti: 'opens' }));
    assert.deepEqual(await statuses(token), [200]);
    await eventually('the record', () => gateway.records({ 'user.id': 'user:ann@example.com' }).length > 0);
    const [record] = gateway.records({ 'user.id': 'user:ann@example.com' });
    assert.equal(record?.['sluice.key.id'], 'login:opens');
  });

  it('a token of an outside issuer that is forged, stale or for others is refused', async () => {
    const stranger = await keyPair('key-1');
    const past = Math.floor(Date.now() / 1000) - 1;
    const text = `${Buffer.from('{"alg":"HS256","kid":"key-1"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims({ exp: past + 600 }))).toString('base64url')}`;
    const pem = first.publicKey.export({ type: 'spki', format: 'pem' });
    const refused: Record<string, string> = {
      stranger: await signToken(stranger, claims()),
      'alg none': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${text.split('.')[1]}.`,
      'HS256 signed with the public key': `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`,
      expired: await signToken(first, claims({ exp: past })),
      'not yet valid': await signToken(first, claims({ nbf: past + 600 })),
      'wrong issuer': await signToken(first, claims({ iss: 'https://evil.example/' })),
      'wrong audience': await signToken(first, claims({ aud: 'others' })),
      'account that has expired': await signToken(first, claims({ email: 'over@example.com' })),
    };
    for (const [what, token] of Object.entries(refused)) {
      for (let round = 0; round < 2; round += 1) assert.deepEqual((await ask(token)).status, 401, what);
    }
  });

  it('a token of a new signing key gets 503 until the key was fetched, and the issuer is not asked for each', async () => {
    issuer.keys = [first.jwk, second.jwk];
    const askedBefore = issuer.asked;
    const token = await signToken(second, claims({ jti: 'new-key' }));
    const early = await ask(token);
    assert.deepEqual([early.status, early.code, early.retryAfter], [503, 'issuer_keys_unavailable', '1']);
    await eventually('the new key is known', async () => (await ask(token)).status === 200);
    assert.deepEqual(await statuses(token), [200]);
    assert.deepEqual(await statuses(await signToken(first, claims({ jti: 'old-key' }))), [200]);
    const made = await keyPair('made-up', 'ES256');
    for (let index = 0; index < 10; index += 1) await ask(await signToken(made, claims({ index })));
    await eventually('it is known to be none', async () => (await ask(await signToken(made, claims()))).status === 401);
    assert.equal(issuer.asked, askedBefore + 1);
  });

  it('a token opens while its issuer is away, which log and metrics tell', async () => {
    await issuer.away();
    assert.deepEqual(await statuses(await signToken(first, claims({ jti: 'away' }))), [200]);
    await eventually(
      'metrics tell both keys',
      async () => (await gateway.metric('sluice_jwks_keys', { provider: 'login' })) === 2,
    );
    await issuer.listen();
  });
});

describe('an issuer', () => {
  it('an issuer that is away at the start is asked again until it answers, and its tokens get 503 meanwhile', async () => {
    const late = await TokenIssuer.start(first);
    await late.away();
    const other = await startGateway({
      manifests: [{ type: 'sluice/identity-provider', name: 'late', issuer: late.issuer, jwks_uri: late.jwksUri }],
    });
    try {
      const token = await signToken(first, { iss: late.issuer, email: 'ann@example.com' });
      const status = async () => {
        const answer = await fetch(`${other.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
        await answer.arrayBuffer();
        return answer.status;
      };
      assert.equal(await status(), 503);
      await eventually(
        'a failure is counted',
        async () => (await other.metric('sluice_jwks_refresh_failures_total', { provider: 'late' })) >= 1,
      );
      await eventually('it is in the log', () =>
        /the keys of an identity provider cannot be fetched/.test(other.output()),
      );
      await late.listen();
      await eventually('it opens', async () => (await status()) === 200, 10_000);
    } finally {
      await other[Symbol.asyncDispose]();
      await late[Symbol.asyncDispose]();
    }
  });

  it('an issuer that a reload brings is asked at once, and the tokens of one that it takes away are refused', async () => {
    const other = await startGateway();
    try {
      const manifest = {
        type: 'sluice/identity-provider',
        name: 'login',
        issuer: issuer.issuer,
        jwks_uri: issuer.jwksUri,
      };
      const token = await signToken(first, claims({ jti: 'reload' }));
      const status = async () => {
        const answer = await fetch(`${other.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
        await answer.arrayBuffer();
        return answer.status;
      };
      assert.equal(await status(), 401);
      await other.configure([manifest]);
      await eventually('it opens', async () => (await status()) === 200);
      await other.configure([]);
      await eventually('it is refused', async () => (await status()) === 401);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });
});

describe('a key that must be refused', () => {
  for (const [what, header] of [
    ['none', ''],
    ['an empty one', 'authorization: Bearer \r\n'],
    ['an empty one in another header', 'x-api-key:\r\n'],
  ] as const) {
    it(`a wrong key (${what}) is 401 with no byte of the body read`, async () => {
      const client = await RawClient.open(gateway);
      client.send(`POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n${header}content-length: 100000\r\n\r\n{`);
      const answer = await client.answer();
      assert.equal(answer.status, 401);
      assert.match(answer.body, /missing_api_key/);
      await client.closed;
    });
  }

  it('a key of a megabyte is refused by the HTTP layer, and the connection is closed', async () => {
    const token = `${(await signToken(first, claims())).slice(0, 600)}${'x'.repeat(1_000_000)}`;
    const client = await RawClient.open(gateway);
    client.send(chatHead(['content-length: 2'], token));
    await client.closed;
    assert.match(client.text(), /^HTTP\/1\.1 431 |^$/);
    assert.ok(!gateway.output().includes('xxxxxxxxxxxxxxxxxxxx'));
  });

  it('a key longer than any token is refused as any other wrong one', async () => {
    assert.equal((await ask(`e.e.${'y'.repeat(9000)}`)).status, 401);
  });

  it('wrong keys do not hinder good ones', async () => {
    assert.deepEqual(await statuses(KEY), [200]);
  });

  it('no key that was shown is in any log', async () => {
    // Everything has been written when it has ended.
    assert.equal(await gateway.stop(), 0);
    const output = gateway.output();
    assert.ok(gateway.records({ 'http.response.status_code': 401 }).length > 20);
    for (const token of shown) {
      for (const part of token.split('.')) {
        assert.ok(part.length < 20 || !output.includes(part), 'a token is in the log');
      }
    }
    assert.ok(!output.includes(KEY));
  });
});
