import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { remote } from '../support/mcp-servers.ts';
import {
  Browser,
  formIn,
  oauthIssuer,
  type ProtectedServer,
  protectedServer,
  type TestIssuer,
} from '../support/oauth-servers.ts';

const ADMIN = 'an admin key of the tests';
const KEYS = { ann: 'sk-of-ann', bob: 'sk-of-bob', eve: 'sk-of-eve' };
type User = keyof typeof KEYS;

let issuer: TestIssuer;
let server: ProtectedServer;
let liar: ProtectedServer;
let hidden: ProtectedServer;
let careful: ProtectedServer;
let gateway: RunningGateway;

before(async () => {
  issuer = await oauthIssuer();
  server = await protectedServer(issuer.url);
  liar = await protectedServer(issuer.url, { metadata: { resource: server.url } });
  hidden = await protectedServer(issuer.url, { metadataPath: '/about/this.json', scope: 'openid tools' });
  careful = await protectedServer(issuer.url, { callScope: 'more' });
  const auth = { type: 'oauth2', grant_type: 'authorization_code', jwt_source: 'access_token' };
  const team = [
    { subject: 'user:ann@example.com', role_id: 'mcp-server-user' },
    { subject: 'user:bob@example.com', role_id: 'mcp-server-user' },
  ];
  gateway = await startGateway({
    keys: Object.entries(KEYS).map(([name, key]) => ({ name, key, subject: `user:${name}@example.com` })),
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN }, mcp: { call_ms: 10_000 } },
    manifests: [
      remote('issues', server.url, { auth_data: auth, collaborators: team }),
      remote('liar', liar.url, { auth_data: auth }),
      remote('hidden', hidden.url, { auth_data: auth }),
      remote('careful', careful.url, { auth_data: auth }),
      remote('metadata', server.url, {
        auth_data: {
          ...auth,
          client_id: 'sluice',
          authorization_url: `${issuer.url}/auth`,
          token_url: `${issuer.url}/redirects`,
        },
      }),
      remote('mine', server.url, {
        auth_data: { type: 'header', headers: { Authorization: 'Bearer {{TOKEN}}' }, auth_level: 'per_user' },
      }),
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [issuer, server, liar, hidden, careful]) await each?.[Symbol.asyncDispose]();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;
const connectAt = (name: string, account = '') =>
  `${gateway.url}/mcp/oauth/connect/${name}${account === '' ? '' : `?account=${account}`}`;

/** A browser of this user, that is signed in at the issuer as `as`. */
function browserOf(as: string): Browser {
  const browser = new Browser();
  browser.setCookie(issuer.url, 'user', as);
  return browser;
}

/** Opens the page and agrees; gives the page at the end. */
async function connect(user: User, as: string, name = 'issues', account = '', browser = browserOf(as)) {
  const form = await browser.ask(connectAt(name, account));
  const text = await form.text();
  return browser.go(connectAt(name, account), { form: formIn(text), key: KEYS[user], decision: 'allow' });
}

async function whoami(user: User, headers: Record<string, string> = {}): Promise<string> {
  const { client } = await legacyClient(at('issues'), { key: KEYS[user], headers });
  try {
    return textOf(await client.callTool({ name: 'whoami', arguments: {} }));
  } finally {
    await client.close();
  }
}

async function toolsOf(user: User): Promise<string[]> {
  const { client } = await modernClient(at('issues'), { key: KEYS[user] });
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

const api = (path: string, user: User, init: RequestInit = {}) =>
  fetch(`${gateway.url}/mcp/oauth/${path}`, { ...init, headers: { authorization: `Bearer ${KEYS[user]}` } });
const admin = (path: string, method = 'GET') =>
  fetch(`${gateway.operatorUrl}/admin/${path}`, { method, headers: { authorization: `Bearer ${ADMIN}` } });

test('two users who agreed never see each other’s tools or tokens', async () => {
  await assert.rejects(whoami('ann'), /needs a credential of yours: agree at http.*\/mcp\/oauth\/connect\/issues/);
  const done = await connect('ann', 'ann@issuer');
  assert.equal(done.status, 200, done.text);
  assert.match(done.text, /can be used in your name now/);
  assert.equal(await whoami('ann'), 'ann@issuer');
  await assert.rejects(whoami('bob'), /needs a credential of yours/);
  assert.equal((await connect('bob', 'bob@issuer')).status, 200);
  assert.deepEqual((await toolsOf('ann')).sort(), ['only_ann', 'whoami']);
  assert.deepEqual((await toolsOf('bob')).sort(), ['only_bob', 'whoami']);
  const both = await Promise.all(Array.from({ length: 10 }, (_, at) => whoami(at % 2 === 0 ? 'ann' : 'bob')));
  assert.deepEqual(new Set(both.filter((_, at) => at % 2 === 0)), new Set(['ann@issuer']));
  assert.deepEqual(new Set(both.filter((_, at) => at % 2 === 1)), new Set(['bob@issuer']));
  assert.equal(issuer.registered.length, 1, 'the gateway registers itself once');
  const [asked] = issuer.tokenForms;
  assert.equal(asked?.get('resource'), server.url);
  assert.match(asked?.get('code_verifier') ?? '', /^[\w-]{43}$/);
});

test('several accounts of one user stand beside each other', async () => {
  assert.equal((await connect('ann', 'ann-at-work@issuer', 'issues', 'work')).status, 200);
  const headers = { 'x-sluice-mcp-accounts': JSON.stringify({ issues: 'work' }) };
  assert.equal(await whoami('ann', headers), 'ann-at-work@issuer');
  assert.equal(await whoami('ann'), 'ann@issuer');
});

test('somebody who may not use a server cannot connect it, and learns no more', async () => {
  const browser = browserOf('eve@issuer');
  const page = await connect('eve', 'eve@issuer', 'issues', '', browser);
  assert.equal(page.status, 403);
  assert.match(page.text, /There is no MCP server issues that you may use/);
  assert.ok(!browser.visited.some((each) => each.startsWith(issuer.url)));
});

test('a state that is taken to another browser gives nothing, and is of no use afterwards', async () => {
  const attacker = browserOf('eve@issuer');
  const text = await (await attacker.ask(connectAt('issues'))).text();
  const form = { form: formIn(text), key: KEYS.bob, decision: 'allow' };
  const callback = await attacker.go(connectAt('issues'), form, (address) => address.includes('/mcp/oauth/callback/'));
  const victim = browserOf('ann@issuer');
  await victim.ask(connectAt('issues'));
  assert.equal((await victim.go(callback.url)).status, 400);
  assert.equal((await attacker.go(callback.url)).status, 400, 'it was taken by the first who came');
  assert.equal(await whoami('bob'), 'bob@issuer', 'what was there before stays');
});

test('a form of one browser is refused from another one, and so is one from another origin', async () => {
  const text = await (await browserOf('x').ask(connectAt('issues'))).text();
  const form = { form: formIn(text), key: KEYS.ann, decision: 'allow' };
  assert.equal((await new Browser().ask(connectAt('issues'), form)).status, 400);
  const other = new Browser();
  const own = formIn(await (await other.ask(connectAt('issues'))).text());
  const crossing = await other.ask(connectAt('issues'), { ...form, form: own }, { origin: 'https://evil.example' });
  assert.equal(crossing.status, 403);
});

test('a page runs nothing, cannot be framed, is kept nowhere, and escapes what it shows', async () => {
  const answer = await new Browser().ask(`${gateway.url}/mcp/oauth/connect/${encodeURIComponent('<script>"\'')}`);
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const text = await answer.text();
  assert.doesNotMatch(text, /<script/);
  assert.match(answer.headers.getSetCookie()[0] ?? '', /HttpOnly; SameSite=Lax/);
});

test('a server cannot have tokens made for another one', async () => {
  const page = await connect('ann', 'ann@issuer', 'liar');
  assert.equal(page.status, 403);
  assert.match(page.text, /another resource than it is/);
});

test('a token address that redirects is not followed, and its answer is no token', async () => {
  const browser = browserOf('ann@issuer');
  const text = await (await browser.ask(connectAt('metadata'))).text();
  const isIssuer = (address: string) => address.startsWith(issuer.url);
  const form = { form: formIn(text), key: KEYS.ann, decision: 'allow' };
  const { url } = await browser.go(connectAt('metadata'), form, isIssuer);
  const asked = new URL(url).searchParams;
  assert.equal(asked.get('code_challenge_method'), 'S256');
  const state = asked.get('state') ?? '';
  const back = `${gateway.url}/mcp/oauth/callback/metadata?code=stolen&state=${state}`;
  const page = await browser.go(back);
  assert.equal(page.status, 400);
  assert.match(page.text, /not connected/);
});

test('an answer of another issuer is refused', async () => {
  const browser = browserOf('bob@issuer');
  const text = await (await browser.ask(connectAt('issues', 'other'))).text();
  const form = { form: formIn(text), key: KEYS.bob, decision: 'allow' };
  const isBack = (address: string) => address.includes('/mcp/oauth/callback/');
  const { url } = await browser.go(connectAt('issues', 'other'), form, isBack);
  const mixed = new URL(url);
  mixed.searchParams.set('iss', 'https://other.example');
  const page = await browser.go(mixed.href);
  assert.match(page.text, /of another issuer/);
});

test('a token that its server refuses is renewed once, and the call goes on', async () => {
  const before = issuer.tokenForms.length;
  server.refuseKnown();
  assert.deepEqual(await Promise.all([whoami('bob'), whoami('bob')]), ['bob@issuer', 'bob@issuer']);
  const refreshes = issuer.tokenForms.slice(before).filter((form) => form.get('grant_type') === 'refresh_token');
  assert.equal(refreshes.length, 1);
});

test('a user sees what she connected, and takes it back; nobody else’s is touched', async () => {
  const { data } = (await (await api('connections', 'ann')).json()) as { data: Record<string, unknown>[] };
  const connected = data.filter(({ status }) => status === 'connected').map(({ account }) => account);
  assert.deepEqual(connected.sort(), ['default', 'work']);
  assert.ok(data.some((each) => each['server'] === 'liar' && each['connect_url'] === connectAt('liar')));
  assert.equal((await api('connections/issues?account=work', 'bob', { method: 'DELETE' })).status, 404);
  assert.equal((await api('connections/issues', 'ann', { method: 'DELETE' })).status, 204);
  await assert.rejects(whoami('ann'), /needs a credential of yours/);
  assert.equal(await whoami('bob'), 'bob@issuer');
});

test('the operator sees connections without their secrets, and takes one back', async () => {
  const answer = await admin('mcp-connections?subject=user:bob@example.com');
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  const { data } = JSON.parse(text) as { data: { id: string; server: string; subject: string }[] };
  assert.deepEqual(
    data.map(({ server: name, subject }) => [name, subject]),
    [['issues', 'user:bob@example.com']],
  );
  assert.doesNotMatch(text, /eyJ|secret|refresh/);
  assert.equal((await admin(`mcp-connections/${data[0]?.id}`, 'DELETE')).status, 204);
  assert.equal((await admin(`mcp-connections/${data[0]?.id}`, 'DELETE')).status, 404);
  await assert.rejects(whoami('bob'), /needs a credential of yours/);
});

test('a user brings values for headers of her own, and they are sent for her alone', async () => {
  const body = JSON.stringify({ values: { TOKEN: 'of-ann' } });
  const init = { method: 'PUT', body, headers: {} };
  const put = await fetch(`${gateway.url}/mcp/oauth/connections/mine`, {
    ...init,
    headers: { authorization: `Bearer ${KEYS.ann}`, 'content-type': 'application/json' },
  });
  assert.equal(put.status, 204, await put.text());
  await assert.rejects(legacyClient(at('mine'), { key: KEYS.ann }));
  assert.ok(server.authorizations.has('Bearer of-ann'));
  await assert.rejects(legacyClient(at('mine'), { key: KEYS.bob }), /the value of TOKEN/);
});

test('neither logs nor the data folder hold a token in the clear', async () => {
  const { stdout } = await import('node:child_process').then(({ spawnSync }) =>
    spawnSync('grep', ['-rlaE', 'sk-of-ann|eyJhbGciOi[^"]*\\.eyJ', `${gateway.folder}/data`], { encoding: 'utf8' }),
  );
  assert.equal(stdout, '');
  for (const secret of [...server.authorizations].map((each) => each.slice('Bearer '.length)).filter(Boolean)) {
    assert.ok(!gateway.output().includes(secret));
  }
});

test('a user whose token has not the scope of a call is asked for it beside those that she agreed to', async () => {
  const call = async (): Promise<string> => {
    const { client } = await legacyClient(at('careful'), { key: KEYS.ann });
    try {
      return textOf(await client.callTool({ name: 'whoami', arguments: {} }));
    } finally {
      await client.close();
    }
  };
  assert.match((await connect('ann', 'ann@issuer', 'careful')).text, /Connected/);
  await assert.rejects(call(), /agree at http.*\/mcp\/oauth\/connect\/careful/);
  const browser = browserOf('ann@issuer');
  assert.match((await connect('ann', 'ann@issuer', 'careful', '', browser)).text, /Connected/);
  const asked = browser.visited.find((address) => address.startsWith(`${issuer.url}/auth`)) ?? '';
  const scopes = (new URL(asked).searchParams.get('scope') ?? '').split(' ');
  assert.ok(scopes.includes('tools') && scopes.includes('more'), String(scopes));
  assert.equal(await call(), 'ann@issuer');
});

test('a server may say in its challenge alone where its metadata are, and which scopes a token needs', async () => {
  const browser = browserOf('ann@issuer');
  assert.match((await connect('ann', 'ann@issuer', 'hidden', '', browser)).text, /Connected/);
  const asked = browser.visited.find((address) => address.startsWith(`${issuer.url}/auth`)) ?? '';
  assert.equal(new URL(asked).searchParams.get('scope'), 'openid tools');
  assert.deepEqual(hidden.subjects, []);
  const call = async (): Promise<string> => {
    const { client } = await legacyClient(at('hidden'), { key: KEYS.ann });
    try {
      return textOf(await client.callTool({ name: 'whoami', arguments: {} }));
    } finally {
      await client.close();
    }
  };
  assert.equal(await call(), 'ann@issuer');
  hidden.refuseKnown();
  issuer.revokeAll();
  await assert.rejects(call(), /agree at http.*\/mcp\/oauth\/connect\/hidden/, 'it says at once what is to be done');
});
