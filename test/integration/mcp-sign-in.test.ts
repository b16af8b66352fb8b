import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
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

const ADMIN = 'an admin key of the tests';
const ANN = 'sk-of-ann';
const REDIRECT = 'http://127.0.0.1:7777/callback';
const keys = [
  { name: 'test', key: KEY, subject: 'virtualaccount:test' },
  { name: 'ann', key: ANN, subject: 'user:ann@example.com' },
];

let server: TestServer;
let issuer: TestIssuer;
let guarded: ProtectedServer;
let documents: Server;
let gateway: RunningGateway;

before(async () => {
  server = await modernHttpServer();
  issuer = await oauthIssuer();
  guarded = await protectedServer(issuer.url);
  documents = createServer((request, response) => {
    const id = `http://${request.headers.host}${request.url}`;
    const said = request.url === '/liar.json' ? 'https://other.example/client.json' : id;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ client_id: said, client_name: 'Of a document', redirect_uris: [REDIRECT] }));
  });
  await new Promise<void>((resolve) => documents.listen(0, '127.0.0.1', resolve));
  const manifests = [
    remote('open', server.url),
    remote('other', server.url),
    remote('closed', server.url, { collaborators: [{ subject: 'user:bob@example.com', role_id: 'mcp-server-user' }] }),
    remote('guarded', guarded.url, {
      auth_data: { type: 'oauth2', grant_type: 'authorization_code', jwt_source: 'access_token' },
    }),
  ];
  gateway = await startGateway({
    keys,
    manifests,
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN } },
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [server, issuer, guarded]) await each?.[Symbol.asyncDispose]();
  documents?.close();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;
const oauthAt = (path: string) => `${gateway.url}/mcp/oauth/${path}`;

async function register(metadata: object = { client_name: 'A test', redirect_uris: [REDIRECT] }): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(oauthAt('register'), { method: 'POST', headers, body: JSON.stringify(metadata) });
}

const clientId = async (): Promise<string> => ((await (await register()).json()) as { client_id: string }).client_id;

interface Asked {
  readonly verifier: string;
  readonly parameters: Record<string, string>;
}

async function asking(more: Record<string, string> = {}): Promise<Asked> {
  const verifier = randomBytes(32).toString('base64url');
  const parameters = {
    response_type: 'code',
    client_id: more['client_id'] ?? (await clientId()),
    redirect_uri: REDIRECT,
    state: 'of the client',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: at('open'),
    ...more,
  };
  return { verifier, parameters };
}

/** Opens the page, signs in and agrees; gives the address that the client gets. */
async function agree(url: string, key = ANN, browser = new Browser()): Promise<URL> {
  const page = await (await browser.ask(url)).text();
  const form = { form: formIn(page), key, decision: 'allow' };
  const { url: end, text } = await browser.go(oauthAt('authorize'), form, (address) => address.startsWith(REDIRECT));
  assert.ok(end.startsWith(REDIRECT), `${end} ${text}`);
  return new URL(end);
}

const authorizeUrl = (parameters: Record<string, string>) =>
  `${oauthAt('authorize')}?${new URLSearchParams(parameters)}`;

async function token(form: Record<string, string>): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(oauthAt('token'), { method: 'POST', body: new URLSearchParams(form) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function redeem(code: string, { verifier, parameters }: Asked, more: Record<string, string> = {}) {
  const { client_id: id = '', redirect_uri: redirect = '' } = parameters;
  const form = {
    grant_type: 'authorization_code',
    code,
    client_id: id,
    redirect_uri: redirect,
    code_verifier: verifier,
  };
  return token({ ...form, ...more });
}

async function signedIn(more: Record<string, string> = {}, key = ANN) {
  const asked = await asking(more);
  const code = (await agree(authorizeUrl(asked.parameters), key)).searchParams.get('code') ?? '';
  const { body } = await redeem(code, asked);
  return { asked, code, access: String(body['access_token']), refresh: String(body['refresh_token']) };
}

const list = (name: string, key: string): Promise<Response> =>
  fetch(at(name), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    }),
  });

/** What the official clients keep of a sign-in. */
function provider() {
  const kept: { client?: unknown; tokens?: unknown; verifier: string; asked?: URL } = { verifier: '' };
  return {
    redirectUrl: REDIRECT,
    clientMetadata: { client_name: 'An SDK', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
    get asked(): URL {
      return kept.asked ?? new URL('http://none');
    },
    clientInformation: () => kept.client as never,
    saveClientInformation: (client: unknown): void => {
      kept.client = client;
    },
    tokens: () => kept.tokens as never,
    saveTokens: (tokens: unknown): void => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url: URL): void => {
      kept.asked = url;
    },
    saveCodeVerifier: (verifier: string): void => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier,
  };
}

test('a 401 says where a client learns how to sign in, by RFC 9728', async () => {
  const refused = await list('open', 'wrong');
  assert.equal(refused.status, 401);
  const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1] ?? '';
  assert.equal(metadata, `${gateway.url}/.well-known/oauth-protected-resource/mcp/v1/open/mcp`);
  const document = (await (await fetch(metadata)).json()) as Record<string, unknown>;
  assert.equal(document['resource'], at('open'));
  assert.deepEqual(document['authorization_servers'], [gateway.url]);
  const unknown = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/mcp/v1/unknown/mcp`);
  assert.equal(unknown.status, 200, 'it tells nobody which servers there are');
  assert.equal((await fetch(`${gateway.url}/.well-known/oauth-protected-resource/v1/models`)).status, 404);
  const chat = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: 'Bearer wrong' } });
  assert.equal(chat.headers.get('www-authenticate'), 'Bearer');
});

test('the official client of the older line signs in by itself, and a key goes on working', async () => {
  const authProvider = provider();
  const connect = async () => {
    const transport = new StreamableHTTPClientTransport(new URL(at('open')), { authProvider });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport as Parameters<Client['connect']>[0]);
    return client;
  };
  await assert.rejects(connect());
  assert.equal(authProvider.asked.searchParams.get('resource'), at('open'));
  const answer = await agree(authProvider.asked.href);
  assert.equal(answer.searchParams.get('iss'), gateway.url);
  const finishing = new StreamableHTTPClientTransport(new URL(at('open')), { authProvider });
  await finishing.finishAuth(answer.searchParams.get('code') ?? '');
  const client = await connect();
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'new: x');
  await client.close();
  assert.ok(!server.seen.some(({ headers }) => headers.authorization), 'the token goes to no server');
  const keyed = await legacyClient(at('open'));
  assert.equal(textOf(await keyed.client.callTool({ name: 'echo', arguments: { text: 'y' } })), 'new: y');
  await keyed.client.close();
});

test('the official client of the newer line signs in by itself', async () => {
  const authProvider = provider();
  const connect = async () => {
    const transport = new ModernTransport(new URL(at('open')), { authProvider });
    const client = new ModernClient(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(transport);
    return client;
  };
  await assert.rejects(connect());
  const answer = await agree(authProvider.asked.href);
  const finishing = new ModernTransport(new URL(at('open')), { authProvider });
  await finishing.finishAuth(answer.searchParams);
  const client = await connect();
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'new: x');
  await client.close();
});

test('a token is good at the address that it was asked for, and nowhere else', async () => {
  const { access } = await signedIn();
  assert.equal((await list('open', access)).status, 200);
  for (const other of [
    at('other'),
    `${gateway.url}/mcp`,
    `${gateway.url}/v1/mcp/v1/open/mcp`,
    `${gateway.url}/v1/models`,
  ]) {
    const answer = await fetch(other, {
      method: other.endsWith('models') ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${access}` },
    });
    assert.equal(answer.status, 401, other);
  }
  const form = { form: 'x', key: access, decision: 'allow' };
  const asked = await asking();
  const browser = new Browser();
  const page = await (await browser.ask(authorizeUrl(asked.parameters))).text();
  const again = await browser.ask(oauthAt('authorize'), { ...form, form: formIn(page) });
  assert.equal(again.status, 403, 'and it signs nobody in');
});

test('the contents of a token are worth nothing without its signature, and no key can be made of them', async () => {
  const { access } = await signedIn();
  const [head = '', payload = '', signature = ''] = access.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const other = Buffer.from(JSON.stringify({ ...claims, aud: at('other') })).toString('base64url');
  const asKey = Buffer.from(head, 'base64url').toString().replace('at+jwt', 'JWT');
  for (const forged of [
    `${head}.${other}.${signature}`,
    `${Buffer.from(asKey).toString('base64url')}.${payload}.${signature}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${other}.`,
  ]) {
    assert.equal((await list('other', forged)).status, 401);
  }
});

test('PKCE cannot be left out or weakened, and the verifier must fit', async () => {
  const isError = async (more: Record<string, string>, error: string): Promise<void> => {
    const { parameters } = await asking(more);
    const answer = await fetch(authorizeUrl(parameters), { redirect: 'manual' });
    const address = new URL(answer.headers.get('location') ?? 'http://none');
    assert.equal(address.searchParams.get('error'), error, JSON.stringify(more));
    assert.equal(address.searchParams.get('state'), 'of the client');
    assert.equal(address.searchParams.get('iss'), gateway.url);
  };
  await isError({ code_challenge_method: 'plain' }, 'invalid_request');
  await isError({ code_challenge_method: '' }, 'invalid_request');
  await isError({ code_challenge: '' }, 'invalid_request');
  await isError({ response_type: 'token' }, 'unsupported_response_type');
  await isError({ resource: 'https://other.example/mcp' }, 'invalid_target');
  await isError({ resource: `${gateway.url}/v1/models` }, 'invalid_target');
  const asked = await asking();
  const code = (await agree(authorizeUrl(asked.parameters))).searchParams.get('code') ?? '';
  const { status, body } = await redeem(code, asked, { code_verifier: randomBytes(32).toString('base64url') });
  assert.deepEqual([status, body['error']], [400, 'invalid_grant']);
});

test('a wrong request leads no browser away from the gateway before its user says so', async () => {
  const far = 'https://evil.example/callback?x=1';
  const client = await register({ client_name: 'Far', redirect_uris: [far] });
  const { client_id } = (await client.json()) as { client_id: string };
  const { parameters } = await asking({ client_id, redirect_uri: far, response_type: 'token' });
  const answer = await fetch(authorizeUrl(parameters), { redirect: 'manual' });
  assert.deepEqual([answer.status, answer.headers.get('location')], [400, null]);
  assert.match(await answer.text(), /<a href="https:\/\/evil\.example\/callback\?x=1&amp;error=unsupported/);
});

test('no answer goes to an address that the client has not registered', async () => {
  for (const redirect of [
    'https://evil.example/callback',
    `${REDIRECT}/x`,
    'javascript:alert(1)',
    REDIRECT.replace('http:', 'https:'),
  ]) {
    const { parameters } = await asking({ redirect_uri: redirect });
    const answer = await fetch(authorizeUrl(parameters), { redirect: 'manual' });
    assert.deepEqual([answer.status, answer.headers.get('location')], [400, null], redirect);
  }
  const { parameters } = await asking({ redirect_uri: REDIRECT.replace('7777', '8888') });
  assert.equal((await fetch(authorizeUrl(parameters))).status, 200, 'ports of this machine are the client’s choice');
  const twice = await fetch(`${authorizeUrl(parameters)}&redirect_uri=https://evil.example`, { redirect: 'manual' });
  assert.equal(twice.status, 400);
});

test('a client with an address behind which a page would read the code is not registered', async () => {
  for (const uri of [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://evil.example/x',
    'https://a@b/x',
    'https://a/#x',
    'x',
  ]) {
    assert.equal((await register({ redirect_uris: [uri] })).status, 400, uri);
  }
  assert.equal((await register({ redirect_uris: [] })).status, 400);
  assert.equal((await register({ redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'] })).status, 201);
  const large = await fetch(oauthAt('register'), { method: 'POST', body: JSON.stringify({ x: 'x'.repeat(100_000) }) });
  assert.equal(large.status, 413);
});

test('an address that browsers and proxies read in several ways is that of no client', async () => {
  for (const uri of [
    'https:evil.example',
    'https:/evil.example',
    'http:127.0.0.1/x',
    'http://127.0.0.1/\u0001',
    'http://127.0.0.1/\u007f',
    'http://127.0.0.1/ü',
    'app://x/\ud800',
  ]) {
    assert.equal((await register({ redirect_uris: [uri] })).status, 400, JSON.stringify(uri));
  }
});

test('a code is used once: who comes second gets nothing, and ends what the first got', async () => {
  const asked = await asking();
  const code = (await agree(authorizeUrl(asked.parameters))).searchParams.get('code') ?? '';
  const first = await redeem(code, asked);
  assert.equal(first.status, 200);
  assert.equal((await redeem(code, asked)).body['error'], 'invalid_grant');
  const refresh = { grant_type: 'refresh_token', refresh_token: String(first.body['refresh_token']) };
  const again = await token({ ...refresh, client_id: asked.parameters['client_id'] ?? '' });
  assert.equal(again.body['error'], 'invalid_grant');
});

test('a code of one client, address or resource is of no use for another', async () => {
  for (const [more, error] of [
    [{ client_id: await clientId().then((id) => `${id}x`) }, 'invalid_grant'],
    [{ redirect_uri: 'http://127.0.0.1:7777/other' }, 'invalid_grant'],
    [{ resource: at('other') }, 'invalid_target'],
  ] as const) {
    const asked = await asking();
    const code = (await agree(authorizeUrl(asked.parameters))).searchParams.get('code') ?? '';
    assert.equal((await redeem(code, asked, more)).body['error'], error, JSON.stringify(more));
  }
});

test('refresh tokens rotate; one that is used again ends the sign-in, and so does revoking', async () => {
  const { asked, refresh } = await signedIn();
  const form = { grant_type: 'refresh_token', client_id: asked.parameters['client_id'] ?? '' };
  const next = await token({ ...form, refresh_token: refresh });
  assert.equal(next.status, 200);
  const newest = String(next.body['refresh_token']);
  assert.equal((await token({ ...form, refresh_token: refresh })).body['error'], 'invalid_grant');
  assert.equal((await token({ ...form, refresh_token: newest })).body['error'], 'invalid_grant');
  const other = await signedIn();
  await fetch(oauthAt('revoke'), { method: 'POST', body: new URLSearchParams({ token: other.refresh }) });
  const revoked = { grant_type: 'refresh_token', client_id: other.asked.parameters['client_id'] ?? '' };
  assert.equal((await token({ ...revoked, refresh_token: other.refresh })).body['error'], 'invalid_grant');
});

test('nobody signs a client in for a server that is not theirs, nor with a key that is none', async () => {
  for (const [key, resource, why] of [
    [ANN, at('closed'), /no MCP server closed that you may use/],
    ['wrong', at('open'), /key/],
  ] as const) {
    const { parameters } = await asking({ resource });
    const browser = new Browser();
    const page = await (await browser.ask(authorizeUrl(parameters))).text();
    const answer = await browser.ask(oauthAt('authorize'), { form: formIn(page), key, decision: 'allow' });
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), why);
  }
});

test('a user says no, and the client is told', async () => {
  const { parameters } = await asking();
  const browser = new Browser();
  const page = await (await browser.ask(authorizeUrl(parameters))).text();
  const answer = await browser.ask(oauthAt('authorize'), { form: formIn(page), key: ANN, decision: 'deny' });
  assert.equal(new URL(answer.headers.get('location') ?? '').searchParams.get('error'), 'access_denied');
});

test('a client may be a document at its own address, which must name that address', async () => {
  const { port } = documents.address() as AddressInfo;
  const id = `http://127.0.0.1:${port}/client.json`;
  const { access } = await signedIn({ client_id: id });
  assert.equal((await list('open', access)).status, 200);
  for (const other of [
    `http://127.0.0.1:${port}/liar.json`,
    'https://169.254.169.254/client.json',
    'http://example.com/c.json',
  ]) {
    const { parameters } = await asking({ client_id: other });
    assert.equal((await fetch(authorizeUrl(parameters), { redirect: 'manual' })).status, 400, other);
  }
});

test('a person who signs a client in for a server that needs consent is asked for it on the way', async () => {
  const asked = await asking({ resource: at('guarded') });
  const browser = new Browser();
  browser.setCookie(issuer.url, 'user', 'ann@issuer');
  const code = (await agree(authorizeUrl(asked.parameters), ANN, browser)).searchParams.get('code') ?? '';
  assert.ok(browser.visited.some((address) => address.startsWith(`${issuer.url}/auth`)));
  const { body } = await redeem(code, asked);
  const { client } = await legacyClient(at('guarded'), { key: String(body['access_token']) });
  assert.equal(textOf(await client.callTool({ name: 'whoami', arguments: {} })), 'ann@issuer');
  await client.close();
  const own = await fetch(oauthAt('connections'), { headers: { authorization: `Bearer ${ANN}` } });
  assert.match(await own.text(), /"server":"guarded","account":"default"/, 'it is the user’s, not the client’s');
});

test('a user sees which clients are signed in, and signs one out', async () => {
  const { asked, refresh } = await signedIn();
  const headers = { authorization: `Bearer ${ANN}` };
  const { data } = (await (await fetch(oauthAt('sign-ins'), { headers })).json()) as {
    data: { id: string; client: string }[];
  };
  assert.equal(data[0]?.client, 'A test');
  const foreign = { authorization: `Bearer ${KEY}` };
  const out = (mine: Record<string, string>) =>
    fetch(oauthAt(`sign-ins/${data[0]?.id}`), { method: 'DELETE', headers: mine });
  assert.equal((await out(foreign)).status, 404);
  assert.equal((await out(headers)).status, 204);
  const form = { grant_type: 'refresh_token', client_id: asked.parameters['client_id'] ?? '', refresh_token: refresh };
  assert.equal((await token(form)).body['error'], 'invalid_grant');
});

test('a token ends with the key that it was asked for with', async () => {
  const admin = (path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };
    return fetch(`${gateway.operatorUrl}/admin/${path}`, { ...init, headers });
  };
  const body = JSON.stringify({ subject: 'user:cat@example.com' });
  const issued = (await (await admin('keys', { method: 'POST', body })).json()) as Record<string, string>;
  const { access, asked, refresh } = await signedIn({}, issued['token']);
  assert.equal((await list('open', access)).status, 200);
  assert.equal((await admin(`keys/${issued['id']}`, { method: 'DELETE' })).status, 200);
  assert.equal((await list('open', access)).status, 401);
  const form = { grant_type: 'refresh_token', client_id: asked.parameters['client_id'] ?? '', refresh_token: refresh };
  assert.equal((await token(form)).body['error'], 'invalid_grant');
});
