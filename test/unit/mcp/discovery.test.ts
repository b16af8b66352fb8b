import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpOAuth } from '../../../src/config/mcp/mcp-servers.ts';
import type { HttpClient } from '../../../src/core/http-client.ts';
import { Discovery } from '../../../src/mcp/oauth/discovery.ts';

const auth: McpOAuth = {
  type: 'oauth2',
  grant: 'authorization_code',
  tokenField: 'access_token',
  authorizationParameters: {},
  scopes: [],
  parameters: {},
};

/** A server at `url` whose challenge names `metadata`, which names `issuer`; gives what was asked, and what came of it. */
async function found(url: string, metadata: string, issuer: string, token = `${issuer}/token`) {
  const asked: string[] = [];
  const http: HttpClient = async ({ url: address }) => {
    asked.push(address);
    const json = (value: object) => ({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(value)) });
    if (address === url) {
      const headers = { 'www-authenticate': `Bearer resource_metadata="${metadata}"` };
      return { status: 401, headers, body: Buffer.alloc(0) };
    }
    if (address.includes('oauth-protected-resource')) return json({ resource: url, authorization_servers: [issuer] });
    return json({ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: token });
  };
  const facts = await new Discovery(http).of({ name: 's', kind: 'remote', url, auth }).catch((error: Error) => error);
  return { asked, facts };
}

const FAR = 'https://far.example/mcp';
const FAR_METADATA = 'https://far.example/.well-known/oauth-protected-resource/mcp';

test('a server elsewhere names no address of this machine that the gateway would ask', async () => {
  const here = 'http://127.0.0.1:8788';
  for (const [metadata, issuer, token] of [
    [`${here}/admin/keys?oauth-protected-resource`, 'https://login.example', undefined],
    [FAR_METADATA, here, undefined],
    [FAR_METADATA, 'https://login.example', `${here}/token`],
    [FAR_METADATA, 'https://localhost', undefined],
  ] as const) {
    const { asked, facts } = await found(FAR, metadata, issuer, token);
    assert.equal(
      asked.some((each) => /127\.0\.0\.1|localhost/.test(each)),
      false,
      asked.join(' '),
    );
    if (facts instanceof Error) continue;
    assert.doesNotMatch(facts.tokenUrl + facts.authorizationUrl, /127\.0\.0\.1|localhost/);
  }
});

test('a server of this machine may have its issuer there', async () => {
  const url = 'http://127.0.0.1:9000/mcp';
  const { facts } = await found(url, `${url}/oauth-protected-resource`, 'http://127.0.0.1:9001');
  assert.ok(!(facts instanceof Error) && facts.tokenUrl === 'http://127.0.0.1:9001/token', String(facts));
});
