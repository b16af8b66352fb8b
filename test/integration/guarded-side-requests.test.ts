import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

/*
 * Symptom: a rule and `x-tfy-guardrails` had no effect where a conversation is made short or its tokens are counted.
 * Root cause: these forms did not say where their words stand. They have the words of the form that they are about.
 */

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const SECRET = `ghp_${'a1'.repeat(18)}`;
const MAIL = 'ann@example.com';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

let provider: FakeProvider;
let gateway: RunningGateway;
/** What the model writes. */
let said = '';

before(async () => {
  provider = await startProvider(({ path, body }, response) => {
    if (path.includes('count_tokens') || path.endsWith('/input_tokens')) sendJson(response, 200, { input_tokens: 17 });
    else if (path.endsWith('/responses/compact')) {
      const { input } = JSON.parse(body.toString());
      sendJson(response, 200, { id: 'resp_1', object: 'response.compaction', output: input, usage: null });
    } else sendJson(response, 200, completion(said));
  });
  const guard = (type: string, name: string, more: object) => ({
    type: `integration/guardrail-config/${type}`,
    name,
    ...more,
  });
  const key = { type: 'api-key', api_key: 'sk-other' };
  gateway = await startGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } },
    manifests: [
      openAccount('chats', `${provider.origin}/v1`),
      openAccount('own', `${provider.origin}/v1`, {
        integrations: [
          { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5', model_types: ['chat', 'responses'] },
        ],
      }),
      { type: 'provider-account/anthropic', name: 'claude', base_url: provider.origin, auth_data: key },
      { type: 'gateway-global-settings', logging_settings: { type: 'always' } },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          guard('secret-detection', 'secrets', { operation: 'mutate' }),
          guard('tfy-pii', 'pii', { operation: 'mutate', config: { pii_categories: ['Email'], pseudonyms: true } }),
          guard('regex', 'words', { operation: 'validate', config: { custom_patterns: [{ pattern: 'tiger' }] } }),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'all',
            when: {},
            llm_input_guardrails: ['g/secrets', 'g/pii'],
            llm_output_guardrails: ['g/secrets'],
            mcp_tool_pre_invoke_guardrails: [],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gateway.url}/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

const lastBody = (): string => provider.requests.at(-1)!.body.toString();
const asking = (text: string): object[] => [{ role: 'user', content: text }];
const naming = (...names: string[]) => ({ 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: names }) });

async function keptBodies(response: Response): Promise<Json> {
  const id = response.headers.get('x-sluice-exchange-id');
  let bodies: Json;
  await eventually(
    `bodies of exchange ${id}`,
    async () => {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const answer = await fetch(`${gateway.operatorUrl}/admin/requests/${id}`, { headers });
      if (answer.status !== 200) return false;
      ({ bodies } = (await answer.json()) as Json);
      return bodies !== null;
    },
    10_000,
  );
  return bodies;
}

describe('a conversation that is made short', () => {
  for (const model of ['chats/m', 'own/gpt'])
    test(`guards of a rule read a conversation before ${model} makes it short, and the log keeps what they left`, async () => {
      said = 'They spoke of a key.';
      const response = await post('/responses/compact', { model, input: asking(`my key is ${SECRET}`) });
      assert.equal(response.status, 200, await response.clone().text());
      assert.match(lastBody(), /my key is \[REDACTED\]/);
      assert.ok(!lastBody().includes(SECRET));
      const bodies = await keptBodies(response);
      assert.ok(!JSON.stringify(bodies).includes(SECRET), JSON.stringify(bodies));
      assert.match(bodies.request.text, /my key is \[REDACTED\]/);
    });

  test('guards change the summary that a compaction carries, and a value that was taken out is put back in it', async () => {
    said = `Her key is ${SECRET}, her address <Email_1>.`;
    const response = await post('/responses/compact', { model: 'chats/m', input: asking(`I am ${MAIL}`) });
    assert.ok(!lastBody().includes(MAIL));
    const { output } = (await response.json()) as Json;
    const [, , carried] = output[1].encrypted_content.split('.');
    assert.match(
      Buffer.from(carried, 'base64url').toString(),
      /Her key is \[REDACTED\], her address ann@example\.com\./,
    );
    assert.match(JSON.stringify(output[0]), /ann@example\.com/);
  });

  test('guards read the summary that a compaction carries when the conversation goes on', async () => {
    const summary = Buffer.from(JSON.stringify({ summary: `Her key is ${SECRET}.` })).toString('base64url');
    const compaction = { type: 'compaction', encrypted_content: `sluice.1.${summary}` };
    said = 'Yes.';
    const response = await post('/responses', { model: 'chats/m', input: [compaction, ...asking('Go on.')] });
    assert.equal(response.status, 200, await response.clone().text());
    assert.match(lastBody(), /Her key is \[REDACTED\]\./);
  });

  test('a guard that a request names refuses a conversation before it is made short', async () => {
    const sent = provider.requests.length;
    const body = { model: 'chats/m', input: asking('a tiger') };
    const response = await post('/responses/compact', body, naming('g/words'));
    assert.equal(response.status, 400);
    assert.match(await response.text(), /guardrail/);
    assert.equal(provider.requests.length, sent);
  });
});

describe('tokens that are counted', () => {
  const counts: readonly [string, string, (text: string) => object][] = [
    ['/messages/count_tokens', 'claude/claude-sonnet-4-5', (text) => ({ messages: asking(text) })],
    ['/responses/input_tokens', 'own/gpt', (text) => ({ input: asking(text) })],
    ['/responses/input_tokens', 'claude/claude-sonnet-4-5', (text) => ({ input: text })],
  ];
  for (const [path, model, bodyOf] of counts) {
    test(`guards of input read what ${path} counts by ${model} before it is sent`, async () => {
      const response = await post(path, { model, ...bodyOf(`my key is ${SECRET}`) });
      assert.equal(response.status, 200, await response.clone().text());
      assert.match(lastBody(), /my key is \[REDACTED\]/);
      assert.ok(!JSON.stringify(await keptBodies(response)).includes(SECRET));
      const sent = provider.requests.length;
      assert.equal((await post(path, { model, ...bodyOf('a tiger') }, naming('g/words'))).status, 400);
      assert.equal(provider.requests.length, sent);
    });
  }
});

describe('paths that no guard reads', () => {
  const NAMED = naming('g/words');
  const unread: readonly [string, string, Record<string, string>][] = [
    ['a request that is passed through', '/v1/vector_stores', { 'x-tfy-provider-name': 'own' }],
    ['a request of the proxy of Gemini', '/gemini/g/proxy/v1beta/models/m:generateContent', {}],
    ['fine-tuning', '/v1/fine_tuning/jobs', { 'x-tfy-provider-name': 'own' }],
    ['a batch', '/v1/batches', {}],
    ['a batch that its provider runs', '/v1/batches', { 'x-tfy-provider-name': 'own' }],
    ['an endpoint of one’s own', '/proxy-api/own/some', {}],
  ];
  for (const [what, path, headers] of unread)
    test(`guards that a request names are refused by the name of their header for ${what}, and nothing is sent`, async () => {
      const sent = provider.requests.length;
      const type = { 'content-type': 'application/json' };
      const response = await fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, ...NAMED, ...headers, ...type } as Record<string, string>,
        body: '{}',
      });
      const told = await response.text();
      assert.equal(response.status, 400, told);
      assert.match(told, /x-tfy-guardrails.*No guard reads what this path carries/);
      assert.equal(provider.requests.length, sent);
    });
});
