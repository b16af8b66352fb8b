import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, modernClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, modernHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';

let server: TestServer;
let named: TestServer;
let passed: TestServer;
let modern: TestServer;
let issuer: Server;
let redirecting: Server;
let gateway: RunningGateway;
const tokensAsked: { body: string; authorization: string | undefined }[] = [];
let redirectedTo = 0;

function listening(handle: Parameters<typeof createServer>[1]): Promise<Server> {
  return new Promise((resolve) => {
    const made: Server = createServer(handle ?? (() => undefined)).listen(0, '127.0.0.1', () => resolve(made));
  });
}
const urlOf = (made: Server) => `http://127.0.0.1:${(made.address() as AddressInfo).port}`;

before(async () => {
  server = await legacyHttpServer();
  named = await legacyHttpServer();
  passed = await legacyHttpServer();
  modern = await modernHttpServer();
  issuer = await listening(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    tokensAsked.push({ body, authorization: request.headers.authorization });
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ access_token: `token-${tokensAsked.length}`, token_type: 'Bearer', expires_in: 3600 }),
    );
  });
  redirecting = await listening((request, response) => {
    if (request.url === '/elsewhere') redirectedTo += 1;
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  gateway = await startGateway({
    manifests: [
      remote('header', server.url, {
        auth_data: { type: 'header', headers: { Authorization: 'Bearer of the gateway' }, auth_level: 'global' },
        additional_headers: { authorization: 'never', 'x-more': 'more' },
      }),
      remote('named', named.url, {
        auth_data: { type: 'header', headers: { Authorization: 'Bearer of the gateway' }, auth_level: 'global' },
      }),
      remote('passthrough', passed.url, { auth_data: { type: 'passthrough' } }),
      remote('token', modern.url, {
        auth_data: {
          type: 'oauth2',
          grant_type: 'client_credentials',
          token_url: `${urlOf(issuer)}/token`,
          client_id: 'sluice',
          client_secret: 'secret',
          scopes: ['tools'],
        },
      }),
      remote('user', server.url, {
        auth_data: { type: 'header', headers: { Authorization: 'Bearer {{TOKEN}}' }, auth_level: 'per_user' },
      }),
      remote('redirecting', `${urlOf(redirecting)}/mcp`),
      remote('away', 'http://127.0.0.1:1/mcp'),
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [server, named, passed, modern]) await each?.[Symbol.asyncDispose]();
  for (const each of [issuer, redirecting]) each?.close();
});

const at = (name: string) => `${gateway.url}/mcp/v1/${name}/mcp`;

async function echo(name: string, headers: Record<string, string> = {}): Promise<string> {
  const { client } = await legacyClient(at(name), { headers });
  const text = textOf(await client.callTool({ name: 'echo', arguments: { text: 'x' } }));
  await client.close();
  return text;
}

/** A stream that a session opens may reach its server behind the answer, so no two tests ask one server up to here. */
const authorizations = (from: TestServer) => new Set(from.seen.map(({ headers }) => headers.authorization));

test('the credential of a manifest is sent with every request, and wins over additional headers', async () => {
  await echo('header');
  assert.deepEqual(authorizations(server), new Set(['Bearer of the gateway']));
  assert.ok(server.seen.every(({ headers }) => headers['x-more'] === 'more'));
});

test('x-tfy-mcp-headers stands in place of the credential of the named server alone', async () => {
  const headers = { named: { Authorization: 'Bearer mine' }, other: { Authorization: 'Bearer other' } };
  await echo('named', { 'x-tfy-mcp-headers': JSON.stringify(headers) });
  assert.deepEqual(authorizations(named), new Set(['Bearer mine']));
});

test('the key of the caller goes to a server with passthrough, and to no other', async () => {
  await echo('passthrough');
  assert.deepEqual(authorizations(passed), new Set([`Bearer ${KEY}`]));
  await echo('header');
  assert.ok(!JSON.stringify(server.seen).includes(KEY));
});

test('a token of client credentials is fetched once, used for every request, and fetched anew when it is refused', async () => {
  const { client } = await modernClient(at('token'));
  await client.callTool({ name: 'echo', arguments: { text: 'x' } });
  await client.close();
  assert.equal(tokensAsked.length, 1);
  assert.deepEqual(authorizations(modern), new Set(['Bearer token-1']));
  const [asked] = tokensAsked;
  assert.equal(asked?.authorization, `Basic ${Buffer.from('sluice:secret').toString('base64')}`);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(asked?.body)), {
    grant_type: 'client_credentials',
    scope: 'tools',
  });
  modern.refused.add('Bearer token-1');
  const again = await modernClient(at('token'));
  assert.equal(textOf(await again.client.callTool({ name: 'echo', arguments: { text: 'y' } })), 'new: y');
  await again.client.close();
  assert.equal(tokensAsked.length, 2);
});

test('a server that wants a value of the user says which', async () => {
  await assert.rejects(echo('user'), /needs a credential of yours: the value of TOKEN/);
  const headers = { user: { Authorization: 'Bearer mine' } };
  assert.equal(await echo('user', { 'x-tfy-mcp-headers': JSON.stringify(headers) }), 'old: x');
});

test('a redirect of a server is not followed', async () => {
  await assert.rejects(echo('redirecting'), /redirects are not followed/);
  assert.equal(redirectedTo, 0);
});

test('a server that cannot be reached is an error that says so, and harms no other', async () => {
  await assert.rejects(echo('away'), /The server `away` failed/);
  assert.equal(await echo('header'), 'old: x');
});

test('headers for servers that are malformed are refused without their values', async () => {
  for (const value of [
    '[]',
    '{"a": "Bearer secret"}',
    '{"a": {"b c": "Bearer secret"}}',
    '{"a": {"b": "Bearer\\nsecret"}}',
  ]) {
    const answer = await fetch(at('header'), {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'x-tfy-mcp-headers': value },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    const text = await answer.text();
    assert.equal(answer.status, 400, text);
    assert.match(text, /x-tfy-mcp-headers/);
    assert.doesNotMatch(text, /secret/);
  }
});
