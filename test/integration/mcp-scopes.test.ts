import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import { Browser, formIn } from '../support/oauth-servers.ts';

const ANN = 'sk-of-ann';
const REDIRECT = 'http://127.0.0.1:7777/callback';

let server: TestServer;
let gateway: RunningGateway;
let clientId: string;

before(async () => {
  server = await legacyHttpServer();
  const everybody = [{ subject: 'team:everyone', role_id: 'mcp-server-user' }];
  gateway = await startGateway({
    keys: [{ name: 'ann', key: ANN, subject: 'user:ann@example.com' }],
    manifests: [
      remote('open', server.url),
      remote('other', server.url),
      {
        type: 'mcp-server/virtual',
        name: 'joint',
        description: 'Of several.',
        collaborators: everybody,
        servers: [{ name: 'open' }, { name: 'other' }],
      },
    ],
  });
  const answer = await fetch(oauthAt('register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'A test', redirect_uris: [REDIRECT] }),
  });
  ({ client_id: clientId } = (await answer.json()) as { client_id: string });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const at = (name: string): string => `${gateway.url}/mcp/v1/${name}/mcp`;
const oauthAt = (path: string): string => `${gateway.url}/mcp/oauth/${path}`;

/** Signs in and agrees; the page that asks for it, and the address that the client gets. */
async function agree(url: string): Promise<{ page: string; answer: URL }> {
  const browser = new Browser();
  const page = await (await browser.ask(url)).text();
  const form = { form: formIn(page), key: ANN, decision: 'allow' };
  const { url: end } = await browser.go(oauthAt('authorize'), form, (address) => address.startsWith(REDIRECT));
  return { page, answer: new URL(end) };
}

function authorizeUrl(resource: string, scope: string | undefined): { url: string; verifier: string } {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource,
    ...(scope !== undefined && { scope }),
  });
  return { url: `${oauthAt('authorize')}?${query}`, verifier };
}

async function token(form: Record<string, string>): Promise<Record<string, string>> {
  const body = new URLSearchParams({ client_id: clientId, ...form });
  return (await (await fetch(oauthAt('token'), { method: 'POST', body })).json()) as Record<string, string>;
}

async function signedIn(resource: string, scope?: string): Promise<Record<string, string> & { page?: string }> {
  const { url, verifier } = authorizeUrl(resource, scope);
  const { page, answer } = await agree(url);
  const code = answer.searchParams.get('code') ?? '';
  return { page, ...(await token({ grant_type: 'authorization_code', code, code_verifier: verifier })) };
}

const PREFIX = 'io.modelcontextprotocol/';

/** As a client of the newer era asks. */
async function rpc(address: string, key: string, method: string, params: Record<string, unknown> = {}) {
  const _meta = { [`${PREFIX}protocolVersion`]: '2026-07-28', [`${PREFIX}clientCapabilities`]: {} };
  const answer = await fetch(address, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': String(params['name'] ?? params['uri'] ?? ''),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
  const { status, headers } = answer;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
  return { status, challenge: headers.get('www-authenticate') ?? '', body: (await answer.json()) as any };
}

async function toolsAt(address: string, key: string): Promise<string[]> {
  const { body } = await rpc(address, key, 'tools/list');
  return body.result.tools.map(({ name }: { name: string }) => name);
}

test('a client learns the scope of a server from the first 401, its metadata, and those of the issuer', async () => {
  const { challenge } = await rpc(at('open'), 'wrong', 'tools/list');
  assert.match(challenge, /, scope="mcp:open"$/);
  const metadata = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '';
  const said = (await (await fetch(metadata)).json()) as Record<string, unknown>;
  assert.deepEqual(said['scopes_supported'], ['mcp:open']);
  const issuer = (await (await fetch(`${gateway.url}/.well-known/oauth-authorization-server`)).json()) as typeof said;
  assert.deepEqual(issuer['scopes_supported'], ['mcp:*', 'mcp:*:read']);
  assert.match((await rpc(`${gateway.url}/mcp`, 'wrong', 'tools/list')).challenge, /scope="mcp:\*"$/);
});

test('a client that names no scope gets all of the server, and one that names none of ours gets no code', async () => {
  const all = await signedIn(at('open'));
  assert.equal(all['scope'], 'mcp:open');
  assert.equal((await rpc(at('open'), all['access_token']!, 'tools/call', { name: 'destroy' })).status, 200);
  const refused = await fetch(authorizeUrl(at('open'), 'openid email').url, { redirect: 'manual' });
  const { searchParams } = new URL(refused.headers.get('location') ?? '');
  assert.equal(searchParams.get('error'), 'invalid_scope');
  assert.equal(searchParams.get('error_description'), 'scope must be mcp:open or mcp:open:read');
  const beside = await signedIn(at('open'), 'offline_access mcp:open');
  assert.equal(beside['scope'], 'mcp:open');
});

test('a token for reading calls tools that change nothing, and is told which scope others need', async () => {
  const signed = await signedIn(at('open'), 'mcp:open:read');
  assert.equal(signed['scope'], 'mcp:open:read');
  assert.match(signed.page ?? '', /for no more than mcp:open:read/);
  const key = signed['access_token']!;
  const args = { name: 'echo', arguments: { text: 'x' } };
  assert.equal(textOf((await rpc(at('open'), key, 'tools/call', args)).body.result), 'old: x');
  assert.ok((await toolsAt(at('open'), key)).includes('destroy'), 'it is there: a client may ask for more');
  assert.equal((await rpc(at('open'), key, 'resources/read', { uri: 'note://one' })).status, 200);
  const before = server.seen.length;
  const refused = await rpc(at('open'), key, 'tools/call', { name: 'destroy' });
  assert.equal(refused.status, 403);
  assert.match(refused.challenge, /^Bearer error="insufficient_scope", scope="mcp:open", resource_metadata="http/);
  assert.deepEqual(refused.body.error.data, { code: 'insufficient_scope', scope: 'mcp:open' });
  assert.ok(!server.seen.slice(before).some(({ body }) => body.includes('destroy')), 'the server is not asked');
  const metadata = /resource_metadata="([^"]+)"/.exec(refused.challenge)?.[1] ?? '';
  assert.equal((await fetch(metadata)).status, 200);
});

test('a token for one of several servers finds that one alone, at a virtual server and at the address of all', async () => {
  for (const address of [at('joint'), `${gateway.url}/mcp`]) {
    const all = (await signedIn(address))['access_token']!;
    const some = (await signedIn(address, 'mcp:open:read'))['access_token']!;
    const [many, few] = [await toolsAt(address, all), await toolsAt(address, some)];
    assert.equal(few.length * 2, many.length);
    const [echo, destroy] = ['echo', 'destroy'].map((tool) => few.find((name) => name.startsWith(`${tool}_`)) ?? '');
    const args = { name: echo, arguments: { text: 'x' } };
    assert.equal(textOf((await rpc(address, some, 'tools/call', args)).body.result), 'old: x');
    const refused = await rpc(address, some, 'tools/call', { name: destroy });
    assert.deepEqual([refused.status, refused.body.error.data.scope], [403, 'mcp:open']);
    const elsewhere = many.find((name) => name.startsWith('echo_') && !few.includes(name));
    const unknown = await rpc(address, some, 'tools/call', { name: elsewhere, arguments: { text: 'x' } });
    assert.equal(unknown.body.error.code, -32_602, 'a server outside of the scope is not there');
  }
});

test('a token whose scopes are of no server at its address is refused whatever it asks', async () => {
  const key = (await signedIn(at('open'), 'mcp:other'))['access_token']!;
  for (const method of ['tools/list', 'server/discover']) {
    const refused = await rpc(at('open'), key, method);
    assert.equal(refused.status, 403, method);
    assert.match(refused.challenge, /error="insufficient_scope", scope="mcp:open"/);
  }
});

test('a refresh may ask for less than was given, and not for more', async () => {
  const { refresh_token: first = '' } = await signedIn(at('joint'), 'mcp:open mcp:other:read');
  const less = await token({ grant_type: 'refresh_token', refresh_token: first, scope: 'mcp:open:read' });
  assert.equal(less['scope'], 'mcp:open:read');
  const again = await token({ grant_type: 'refresh_token', refresh_token: less['refresh_token']! });
  assert.equal(again['scope'], 'mcp:open mcp:other:read', 'what was given stays');
  const more = { grant_type: 'refresh_token', refresh_token: again['refresh_token']!, scope: 'mcp:other' };
  assert.equal((await token(more))['error'], 'invalid_scope');
});

test('the official client asks for the scope that is missing, and goes on with it', async () => {
  const signed = await signedIn(at('open'), 'mcp:open:read');
  let asked = new URL('http://none');
  let verifier = '';
  let tokens: Record<string, string> = { access_token: signed['access_token']!, token_type: 'Bearer' };
  const authProvider = {
    redirectUrl: REDIRECT,
    clientMetadata: { client_name: 'SDK', redirect_uris: [REDIRECT] },
    clientInformation: () => ({ client_id: clientId }),
    tokens: () => tokens as never,
    saveTokens: (saved: object) => {
      tokens = { ...saved };
    },
    redirectToAuthorization: (url: URL) => {
      asked = url;
    },
    saveCodeVerifier: (made: string) => {
      verifier = made;
    },
    codeVerifier: () => verifier,
  };
  const transport = new StreamableHTTPClientTransport(new URL(at('open')), { authProvider });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  await assert.rejects(client.callTool({ name: 'destroy', arguments: {} }));
  assert.ok(asked.searchParams.get('scope')?.split(' ').includes('mcp:open'), asked.href);
  const { answer } = await agree(asked.href);
  await transport.finishAuth(answer.searchParams.get('code') ?? '');
  assert.equal(textOf(await client.callTool({ name: 'destroy', arguments: {} })), 'gone');
  await client.close();
});
