import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { cookieOf, sessionOf } from '../support/console-session.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { oauthIssuer, type TestIssuer } from '../support/oauth-servers.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const CALLBACK = '/console/sign-in/oidc/callback';

let issuer: TestIssuer;
let gateway: RunningGateway;
before(async () => {
  issuer = await oauthIssuer();
  // Its port is not known before it listens, and the address of the answer must be registered before.
  const placeholder = await startGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } },
  });
  const { port } = new URL(placeholder.operatorUrl);
  await placeholder[Symbol.asyncDispose]();
  const clientId = await registered(`http://127.0.0.1:${port}${CALLBACK}`);
  gateway = await startGateway({
    server: {
      operator: { host: '127.0.0.1', port: Number(port), admin_key: ADMIN_KEY },
      console: {
        roles: [
          { subjects: ['user:ann@example.com'], role: 'operator' },
          { subjects: ['team:search'], role: 'viewer' },
        ],
        oidc: { identity_provider: 'company', client_id: clientId, scopes: ['openid'] },
      },
    },
    manifests: [
      {
        type: 'sluice/identity-provider',
        name: 'company',
        issuer: issuer.url,
        jwks_uri: `${issuer.url}/jwks`,
        audiences: ['for keys only'],
        subject_claim: 'sub',
        authorized_subjects: ['user:ann@example.com', 'user:eve@example.com', 'team:search'],
      },
      { type: 'team', name: 'search', members: ['bob@example.com'] },
    ],
  });
});
disposeAfter(() => [gateway, issuer]);

async function registered(redirectUri: string): Promise<string> {
  const answer = await fetch(`${issuer.url}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }),
  });
  const { client_id: id } = JSON.parse(await answer.text());
  return id;
}

/** What a browser does at the provider: follows it until it is sent back to the gateway. */
async function throughProvider(address: string, user: string): Promise<string> {
  const jar = new Map([['user', user]]);
  let next = address;
  for (let steps = 0; steps < 12; steps += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(next, { redirect: 'manual', headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (set.split(';')[0] ?? '').split('=');
      jar.set(name, value);
    }
    const location = answer.headers.get('location');
    assert.ok(location !== null, `${next} answered ${answer.status}: ${await answer.text()}`);
    next = new URL(location, next).href;
    if (next.includes(CALLBACK)) return next;
  }
  throw new Error('the provider sends nobody back');
}

async function begun(): Promise<{ readonly location: string; readonly cookie: string }> {
  const answer = await fetch(`${gateway.operatorUrl}/console/sign-in/oidc`, { redirect: 'manual' });
  assert.equal(answer.status, 303);
  const written = answer.headers.getSetCookie()[0] ?? '';
  assert.match(written, /HttpOnly; SameSite=Lax/);
  return { location: answer.headers.get('location') ?? '', cookie: cookieOf(answer.headers) };
}

const back = (address: string, cookie: string): Promise<Response> =>
  fetch(address, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } });

async function errorOf(answer: Response): Promise<string | undefined> {
  assert.deepEqual(answer.headers.getSetCookie(), []);
  return /^\/console\/#sign_in_error=(\w+)$/.exec(answer.headers.get('location') ?? '')?.[1];
}

describe('sign-in to the console with an identity provider', () => {
  it('whom it vouches for comes in with the role of their subject or team', async () => {
    for (const [user, role] of [
      ['ann@example.com', 'operator'],
      ['bob@example.com', 'viewer'],
    ] as const) {
      const { location, cookie } = await begun();
      const asked = new URL(location).searchParams;
      assert.equal(asked.get('code_challenge_method'), 'S256');
      assert.ok(asked.get('state') && asked.get('nonce'));
      const answer = await back(await throughProvider(location, user), cookie);
      assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/console/']);
      const session = cookieOf(answer.headers);
      const shown = await fetch(`${gateway.operatorUrl}/console/session`, { headers: { cookie: session } });
      const json = JSON.parse(await shown.text());
      assert.partialDeepStrictEqual(json, { signed_in: true, role, subject: `user:${user}` });
      assert.equal((await sessionOf(gateway.operatorUrl, session, json).ask('GET', '/admin/targets')).status, 200);
    }
  });

  it('a session ends when its subject is no longer authorized, and that of an authorized team goes on', async () => {
    const comesIn = async (user: string) => {
      const { location, cookie } = await begun();
      return cookieOf((await back(await throughProvider(location, user), cookie)).headers);
    };
    const isIn = async (cookie: string) => {
      const shown = await fetch(`${gateway.operatorUrl}/console/session`, { headers: { cookie } });
      return JSON.parse(await shown.text()).signed_in;
    };
    const [ann, bob] = [await comesIn('ann@example.com'), await comesIn('bob@example.com')];
    const before = await readFile(gateway.configFile, 'utf8');
    await writeFile(gateway.configFile, before.replace(/(authorized_subjects:\s+- ["']?user:)ann@/, '$1somebody@'));
    assert.notEqual(await readFile(gateway.configFile, 'utf8'), before);
    await eventually('who is no longer authorized is out', async () => !(await isIn(ann)));
    assert.equal(await isIn(bob), true);
    await writeFile(gateway.configFile, before);
    await eventually('who is authorized again comes in', async () => (await comesIn('ann@example.com')) !== '');
  });

  it('whom no rule gives a role is sent back without a session', async () => {
    const { location, cookie } = await begun();
    const answer = await back(await throughProvider(location, 'eve@example.com'), cookie);
    assert.equal(await errorOf(answer), 'role_needed');
  });

  it('an answer that another browser began, that comes twice, or of another provider, signs nobody in', async () => {
    const one = await begun();
    const other = await begun();
    const address = await throughProvider(one.location, 'ann@example.com');
    assert.equal(await errorOf(await back(address, other.cookie)), 'sign_in_refused');
    const again = await begun();
    const used = await throughProvider(again.location, 'ann@example.com');
    assert.equal((await back(used, again.cookie)).headers.get('location'), '/console/');
    assert.equal(await errorOf(await back(used, again.cookie)), 'sign_in_refused');
    const third = await begun();
    const mixed = new URL(await throughProvider(third.location, 'ann@example.com'));
    mixed.searchParams.set('iss', 'https://evil.example.com');
    assert.equal(await errorOf(await back(mixed.href, third.cookie)), 'sign_in_refused');
    const fourth = await begun();
    const forged = new URL(await throughProvider(fourth.location, 'ann@example.com'));
    forged.searchParams.set('code', 'made up');
    assert.equal(await errorOf(await back(forged.href, fourth.cookie)), 'sign_in_refused');
  });

  it('a provider that is away is told as such', async () => {
    const away = await startGateway({
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
        console: { oidc: { identity_provider: 'gone', client_id: 'x' } },
      },
      manifests: [
        {
          type: 'sluice/identity-provider',
          name: 'gone',
          issuer: 'http://127.0.0.1:9',
          jwks_uri: 'http://127.0.0.1:9/jwks',
          audiences: ['x'],
        },
      ],
    });
    try {
      const answer = await fetch(`${away.operatorUrl}/console/sign-in/oidc`, { redirect: 'manual' });
      assert.equal(await errorOf(answer), 'identity_provider_failed');
    } finally {
      await away[Symbol.asyncDispose]();
    }
  });
});
