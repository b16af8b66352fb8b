import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import {
  Browser,
  formIn,
  oauthIssuer,
  type ProtectedServer,
  protectedServer,
  type TestIssuer,
} from '../support/oauth-servers.ts';

const REDIRECT = 'http://127.0.0.1:7777/callback';
const CALLBACK = '/mcp/oauth/sign-in/callback';
const ANN = 'ann@example.com';
const BOB = 'bob@example.com';
const toTeam = { collaborators: [{ subject: 'team:search', role_id: 'mcp-server-user' }] };

let issuer: TestIssuer;
let server: TestServer;
let guarded: ProtectedServer;
let gateway: RunningGateway;

before(async () => {
  issuer = await oauthIssuer();
  server = await modernHttpServer();
  guarded = await protectedServer(issuer.url);
  // The address of the answer must be registered before, and its port is not known before.
  const placeholder = await startGateway();
  const { port } = new URL(placeholder.url);
  await placeholder[Symbol.asyncDispose]();
  const clientId = await registered(`http://127.0.0.1:${port}${CALLBACK}`);
  gateway = await startGateway({
    server: {
      listen: { host: '127.0.0.1', port: Number(port) },
      mcp: { oidc: { identity_provider: 'company', client_id: clientId, scopes: ['openid'] } },
    },
    manifests: [
      remote('open', server.url),
      remote('ours', server.url, toTeam),
      remote('guarded', guarded.url, {
        auth_data: { type: 'oauth2', grant_type: 'authorization_code', jwt_source: 'access_token' },
      }),
      {
        type: 'sluice/identity-provider',
        name: 'company',
        issuer: issuer.url,
        jwks_uri: `${issuer.url}/jwks`,
        audiences: ['for keys only'],
        subject_claim: 'sub',
        authorized_subjects: [`user:${ANN}`, `user:${BOB}`],
      },
      { type: 'team', name: 'search', members: [BOB] },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [server, guarded, issuer]) await each?.[Symbol.asyncDispose]();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;
const oauthAt = (path: string) => `${gateway.url}/mcp/oauth/${path}`;

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
  return ((await answer.json()) as { client_id: string }).client_id;
}

interface Asked {
  readonly url: string;
  readonly verifier: string;
  readonly clientId: string;
}

async function asking(name: string): Promise<Asked> {
  const verifier = randomBytes(32).toString('base64url');
  const answer = await fetch(oauthAt('register'), {
    method: 'POST',
    body: JSON.stringify({ client_name: 'A test', redirect_uris: [REDIRECT] }),
  });
  const { client_id: clientId } = (await answer.json()) as { client_id: string };
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: at(name),
  };
  return { url: `${oauthAt('authorize')}?${new URLSearchParams(parameters)}`, verifier, clientId };
}

function browserOf(user: string): Browser {
  const browser = new Browser();
  browser.setCookie(issuer.url, 'user', user);
  return browser;
}

/** Opens a page of the gateway and signs in with the provider; stops at the answer to a client, or a page. */
async function throughProvider(
  url: string,
  browser: Browser,
  stopAt: (address: string) => boolean = (address) => address.startsWith(REDIRECT),
): Promise<{ url: string; status: number; text: string }> {
  const text = await (await browser.ask(url)).text();
  assert.match(text, /sign in with company/);
  const action = /action="([^"]+)"/.exec(text)?.[1] ?? '';
  return browser.go(new URL(action, url).href, { form: formIn(text), key: '', decision: 'provider' }, stopAt);
}

async function redeem(address: string, { verifier, clientId }: Asked): Promise<Record<string, unknown>> {
  const form = {
    grant_type: 'authorization_code',
    code: new URL(address).searchParams.get('code') ?? '',
    client_id: clientId,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  };
  const answer = await fetch(oauthAt('token'), { method: 'POST', body: new URLSearchParams(form) });
  return (await answer.json()) as Record<string, unknown>;
}

async function refreshed(refresh: unknown, { clientId }: Asked): Promise<Record<string, unknown>> {
  const form = { grant_type: 'refresh_token', refresh_token: String(refresh), client_id: clientId };
  const answer = await fetch(oauthAt('token'), { method: 'POST', body: new URLSearchParams(form) });
  return (await answer.json()) as Record<string, unknown>;
}

test('a person without a key signs a client in with the identity provider, and is who it says', async () => {
  const asked = await asking('ours');
  const browser = browserOf(BOB);
  const { url } = await throughProvider(asked.url, browser);
  const away = new URL(browser.visited.find((address) => address.startsWith(`${issuer.url}/auth`)) ?? '').searchParams;
  assert.equal(away.get('code_challenge_method'), 'S256');
  assert.ok(away.get('state') && away.get('nonce'));
  const { access_token: token } = await redeem(url, asked);
  const { client } = await legacyClient(at('ours'), { key: String(token) });
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'new: x');
  await client.close();
  await eventually('the record', () =>
    gateway.records({ 'gen_ai.request.model': 'mcp:ours/echo' }).some((each) => JSON.stringify(each).includes(BOB)),
  );
});

test('a person who may not use the server is told so, and the client gets nothing', async () => {
  const { status, text } = await throughProvider((await asking('ours')).url, browserOf(ANN));
  assert.equal(status, 403);
  assert.match(text, /no MCP server ours that you may use/);
});

test('whomever the provider vouches for and the manifest does not name is not signed in', async () => {
  const { status, text } = await throughProvider((await asking('open')).url, browserOf('eve@example.com'));
  assert.equal(status, 403);
  assert.match(text, /role="alert"/);
});

test('a key goes on working beside the provider', async () => {
  const asked = await asking('open');
  const browser = new Browser();
  const page = await (await browser.ask(asked.url)).text();
  const form = { form: formIn(page), key: KEY, decision: 'allow' };
  const { url } = await browser.go(oauthAt('authorize'), form, (address) => address.startsWith(REDIRECT));
  assert.ok((await redeem(url, asked))['access_token']);
});

test('an answer that another browser began, or that comes twice, signs nobody in', async () => {
  const isBack = (address: string): boolean => address.includes(CALLBACK);
  const stolen = await throughProvider((await asking('open')).url, browserOf(ANN), isBack);
  const thief = browserOf(ANN);
  await thief.ask((await asking('open')).url);
  assert.equal((await thief.ask(stolen.url)).status, 400);
  const browser = browserOf(ANN);
  const own = await throughProvider((await asking('open')).url, browser, isBack);
  assert.equal((await browser.ask(own.url)).status, 303);
  assert.equal((await browser.ask(own.url)).status, 400);
});

test('an answer of another provider, or without a code, shows the page once more', async () => {
  const isBack = (address: string): boolean => address.includes(CALLBACK);
  for (const [name, value] of [
    ['iss', 'https://evil.example.com'],
    ['code', 'made up'],
  ] as const) {
    const browser = browserOf(ANN);
    const answer = new URL((await throughProvider((await asking('open')).url, browser, isBack)).url);
    answer.searchParams.set(name, value);
    const shown = await browser.ask(answer.href);
    assert.equal(shown.status, 403, name);
    assert.match(await shown.text(), /sign in with company/);
  }
});

test('a person connects a server in their own name after signing in with the provider', async () => {
  const done = await throughProvider(oauthAt('connect/guarded?account=work'), browserOf(ANN), () => false);
  assert.match(done.text, /Connected/, done.text);
  const asked = await asking('guarded');
  const { access_token: token } = await redeem((await throughProvider(asked.url, browserOf(ANN))).url, asked);
  const headers = { 'x-sluice-mcp-accounts': '{"guarded":"work"}' };
  const { client } = await legacyClient(at('guarded'), { key: String(token), headers });
  assert.equal(textOf(await client.callTool({ name: 'whoami', arguments: {} })), ANN);
  await client.close();
});

test('the client of somebody whom the manifest names no more is refused, and gets no new token', async () => {
  const asked = await asking('open');
  const { url } = await throughProvider(asked.url, browserOf(ANN));
  const { access_token: token, refresh_token: refresh } = await redeem(url, asked);
  const isTaken = async (): Promise<boolean> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return (await fetch(at('open'), { method: 'POST', headers, body: '{}' })).status !== 401;
  };
  assert.equal(await isTaken(), true);
  const written = await readFile(gateway.configFile, 'utf8');
  await writeFile(gateway.configFile, written.replace(/(authorized_subjects:\s+- ["']?user:)ann@/, '$1somebody@'));
  await eventually('the token is refused', async () => !(await isTaken()));
  assert.equal((await refreshed(refresh, asked))['error'], 'invalid_grant');
  await writeFile(gateway.configFile, written);
  await eventually('the token is taken again', isTaken);
});
