import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import {
  Browser,
  formIn,
  oauthIssuer,
  type ProtectedServer,
  protectedServer,
  type TestIssuer,
} from '../support/oauth-servers.ts';
import { freePort } from '../support/server-process.ts';
import { type IssuerKeyPair, keyPair, signToken, TokenIssuer } from '../support/token-issuer.ts';

let issuer: TestIssuer;
let login: TokenIssuer;
let signer: IssuerKeyPair;
let server: ProtectedServer;
let open: TestServer;
let modern: TestServer;
let side: Server;
let gateway: RunningGateway;
const asked: { path: string; form: URLSearchParams }[] = [];

before(async () => {
  signer = await keyPair('key-1');
  [issuer, login, open, modern] = await Promise.all([
    oauthIssuer(),
    TokenIssuer.start(signer),
    legacyHttpServer(),
    modernHttpServer(),
  ]);
  server = await protectedServer(issuer.url);
  side = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    asked.push({ path: request.url ?? '', form: new URLSearchParams(body) });
    if (request.url === '/redirect') {
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data' }).end();
      return;
    }
    response.setHeader('content-type', 'application/json');
    if (request.url?.startsWith('/.well-known/oauth-protected-resource')) {
      const resource = `http://${request.headers.host}/mcp`;
      response.end(JSON.stringify({ resource, authorization_servers: ['https://169.254.169.254/'] }));
    } else if (request.url === '/introspect') response.end(JSON.stringify({ active: false }));
    else if (request.url === '/exchange')
      response.end(JSON.stringify({ access_token: 'exchanged', token_type: 'Bearer', expires_in: 60 }));
    else if (request.url === '/token') response.end(JSON.stringify({ access_token: 'inactive', token_type: 'Bearer' }));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => side.listen(0, '127.0.0.1', resolve));
  const sideUrl = `http://127.0.0.1:${(side.address() as AddressInfo).port}`;
  const code = { type: 'oauth2', grant_type: 'authorization_code' };
  const written = { ...code, client_id: 'sluice', authorization_url: `${sideUrl}/auth` };
  // Public addresses are bound to a port, so it is chosen before.
  const port = await freePort();
  gateway = await startGateway({
    server: {
      listen: { host: '127.0.0.1', port },
      mcp: { public_url: `http://127.0.0.1:${port}`, authorization_servers: ['login'], call_ms: 20_000 },
    },
    manifests: [
      {
        type: 'sluice/identity-provider',
        name: 'login',
        issuer: login.issuer,
        jwks_uri: login.jwksUri,
        audiences: ['sluice'],
      },
      remote('open', open.url),
      remote('modern', modern.url),
      remote('issues', server.url, { auth_data: code }),
      remote('metadata', `${sideUrl}/mcp`, { auth_data: code }),
      remote('redirecting', open.url, { auth_data: { ...written, token_url: `${sideUrl}/redirect` } }),
      remote('inactive', open.url, {
        auth_data: { ...written, token_url: `${sideUrl}/token`, introspection_url: `${sideUrl}/introspect` },
      }),
      remote('exchanged', open.url, {
        auth_data: {
          type: 'oauth2',
          grant_type: 'token_exchange',
          token_url: `${sideUrl}/exchange`,
          client_id: 'sluice',
          client_secret: 'secret',
          additional_token_params: { audience: 'files' },
        },
      }),
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [issuer, login, server, open, modern]) await each?.[Symbol.asyncDispose]();
  side?.close();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;
const tokenFor = (aud: string | string[], more: object = {}) =>
  signToken(signer, { iss: login.issuer, aud, email: 'ann@example.com', ...more });
const ping = async (url: string, token: string): Promise<number> => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  return (await fetch(url, { method: 'POST', headers, body })).status;
};

/** Opens the page at which the user agrees, with a key, and goes all the way. */
async function agree(url: string, key = KEY, as = 'test@issuer') {
  const browser = new Browser();
  browser.setCookie(issuer.url, 'user', as);
  const page = await (await browser.ask(url)).text();
  return browser.go(url, { form: formIn(page), key, decision: 'allow' });
}

test('metadata name the configured issuer, and the gateway is none then', async () => {
  const document = await (await fetch(`${gateway.url}/.well-known/oauth-protected-resource/mcp/v1/open/mcp`)).json();
  assert.deepEqual((document as Record<string, unknown>)['authorization_servers'], [login.issuer]);
  assert.equal((await fetch(`${gateway.url}/.well-known/oauth-authorization-server`)).status, 404);
  assert.equal((await fetch(`${gateway.url}/mcp/oauth/register`, { method: 'POST', body: '{}' })).status, 404);
});

test('a token of an issuer is good at the address in its audience alone, or for the gateway as a whole', async () => {
  assert.equal(await ping(at('open'), await tokenFor(at('open'))), 200);
  assert.equal(await ping(at('modern'), await tokenFor(at('open'))), 401);
  assert.equal(await ping(at('open'), await tokenFor('https://other.example/mcp')), 401);
  assert.equal(await ping(at('open'), await tokenFor(`${gateway.url}.evil.example/mcp/v1/open/mcp`)), 401);
  assert.equal(await ping(at('open'), await tokenFor('sluice')), 200);
  const models = async (token: string) =>
    (await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status;
  assert.equal(await models(await tokenFor(at('open'))), 401);
  assert.equal(await models(await tokenFor('sluice')), 200);
});

test('the caller’s token is exchanged for one of the server, and a key of the gateway is not', async () => {
  const token = await tokenFor('sluice');
  const { client } = await legacyClient(at('exchanged'), { key: token });
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } })), 'old: x');
  await client.close();
  const [exchange] = asked.filter(({ path }) => path === '/exchange');
  assert.equal(exchange?.form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:token-exchange');
  assert.equal(exchange?.form.get('subject_token'), token);
  assert.equal(exchange?.form.get('audience'), 'files');
  assert.ok(open.seen.some(({ headers }) => headers.authorization === 'Bearer exchanged'));
  await assert.rejects(legacyClient(at('exchanged')), /come with a token of an identity provider/);
  assert.equal(asked.filter(({ path }) => path === '/exchange').length, 1);
});

test('no metadata service is asked, whoever names it', async () => {
  const page = await agree(`${gateway.url}/mcp/oauth/connect/metadata`);
  assert.equal(page.status, 403);
  assert.match(page.text, /does not say who issues its tokens/);
});

for (const [name, why] of [
  ['redirecting', /answered 307/],
  ['inactive', /not active/],
] as const) {
  test(`a token endpoint gives no token where its answer is bad: ${name}`, async () => {
    const browser = new Browser();
    const url = `${gateway.url}/mcp/oauth/connect/${name}`;
    const form = { form: formIn(await (await browser.ask(url)).text()), key: KEY, decision: 'allow' };
    const { url: away } = await browser.go(url, form, (address) => address.includes('/auth?'));
    const state = new URL(away).searchParams.get('state') ?? '';
    const page = await browser.go(`${gateway.url}/mcp/oauth/callback/${name}?code=x&state=${state}`);
    assert.equal(page.status, 400);
    assert.match(page.text, why);
    await assert.rejects(legacyClient(at(name)), /needs a credential of yours/);
  });
}

test('a client of the older era that opens addresses is told by the error that says so', async () => {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: { url: {}, form: {} } } });
  const transport = new StreamableHTTPClientTransport(new URL(at('issues')), {
    requestInit: { headers: { authorization: `Bearer ${KEY}` } },
  });
  await assert.rejects(client.connect(transport as Parameters<Client['connect']>[0]), (error: unknown) => {
    const { code, data } = error as { code: number; data: { elicitations: { mode: string; url: string }[] } };
    assert.equal(code, -32_042);
    assert.deepEqual(
      data.elicitations.map(({ mode, url }) => [mode, url]),
      [['url', `${gateway.url}/mcp/oauth/connect/issues`]],
    );
    return true;
  });
});

test('a client that opens addresses is asked during a call, and the call goes on when the user has agreed', async () => {
  const urls: string[] = [];
  const open = async (params: unknown) => {
    const { mode, url = '' } = params as { mode?: string; url?: string };
    assert.equal(mode, 'url');
    urls.push(url);
    const page = await agree(url);
    assert.equal(page.status, 200, page.text);
    return { action: 'accept' as const };
  };
  const client = new ModernClient(
    { name: 'test', version: '1' },
    {
      capabilities: { elicitation: { url: {}, form: {} } },
      versionNegotiation: { mode: { pin: '2026-07-28' } },
    },
  );
  client.setRequestHandler('elicitation/create', ({ params }) => open(params));
  // All servers are asked for: this one alone needs the user, and the others are there without.
  await client.connect(
    new ModernTransport(new URL(`${gateway.url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${KEY}` } },
    }),
  );
  const { tools } = await client.listTools();
  assert.ok(tools.length > 0 && !tools.some(({ name }) => name.startsWith('whoami')));
  await client.close();
  const legacy = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: { url: {}, form: {} } } });
  legacy.setRequestHandler(ElicitRequestSchema, ({ params }) => open(params));
  const disconnect = () =>
    fetch(`${gateway.url}/mcp/oauth/connections/issues`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${KEY}` },
    });
  await agree(`${gateway.url}/mcp/oauth/connect/issues`);
  await legacy.connect(
    new StreamableHTTPClientTransport(new URL(at('issues')), {
      requestInit: { headers: { authorization: `Bearer ${KEY}` } },
    }) as Parameters<Client['connect']>[0],
  );
  const asking = new ModernClient(
    { name: 'test', version: '1' },
    { capabilities: { elicitation: { url: {}, form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  asking.setRequestHandler('elicitation/create', ({ params }) => open(params));
  await asking.connect(
    new ModernTransport(new URL(at('issues')), { requestInit: { headers: { authorization: `Bearer ${KEY}` } } }),
  );
  for (const each of [legacy, asking]) {
    assert.equal((await disconnect()).status, 204);
    assert.equal(textOf(await each.callTool({ name: 'whoami', arguments: {} })), 'test@issuer');
  }
  assert.deepEqual(
    urls,
    Array.from({ length: 2 }, () => `${gateway.url}/mcp/oauth/connect/issues`),
  );
  await Promise.all([legacy.close(), asking.close()]);
});
