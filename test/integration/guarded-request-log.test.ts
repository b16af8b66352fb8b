import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

/*
 * Symptom: the request log held a request as its client had sent it, with the secret that a guard had taken out of it.
 * Root cause: bodies were copied before guards read them. They are copied behind them now, and until then nothing is.
 */

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const SECRET = `ghp_${'a1'.repeat(18)}`;
const MAIL = 'ann@example.com';
const MARK = 'FORBIDDEN';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

let provider: FakeProvider;
let service: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => {
    const { messages, stream } = JSON.parse(request.body.toString());
    const said = `you said ${messages[0].content}`;
    if (!stream) {
      sendJson(response, 200, completion(said));
      return;
    }
    startEvents(response);
    for (const content of said.match(/.{1,5}/gs) ?? []) response.write(chunkEvent({ content }));
    response.end(chunkEvent({}, 'stop') + DONE_EVENT);
  });
  service = await startProvider((request, response) => {
    sendJson(response, 200, { verdict: !request.body.toString().includes(MARK), message: 'no' });
  });
  const guard = (type: string, name: string, more: object) => ({
    type: `integration/guardrail-config/${type}`,
    name,
    ...more,
  });
  gateway = await startGateway({
    server: {
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
      limits: {},
    },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'gateway-global-settings', logging_settings: { type: 'always' } },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          guard('secret-detection', 'secrets', { operation: 'mutate' }),
          guard('tfy-pii', 'pii', { operation: 'mutate', config: { pii_categories: ['Email'], pseudonyms: true } }),
          guard('regex', 'words', { config: { custom_patterns: [{ pattern: 'BLOCKED\\w*' }] } }),
          guard('custom', 'service', { config: { url: `${service.origin}/check` } }),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'all',
            when: {},
            llm_input_guardrails: ['g/secrets', 'g/pii', 'g/words', 'g/service'],
            llm_output_guardrails: [],
            mcp_tool_pre_invoke_guardrails: [],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider, service]);

/** The kept bodies of an exchange, and the answer that its client got. */
async function kept(content: string, more: object = {}): Promise<{ bodies: Json; status: number; told: string }> {
  const response = await ask(gateway, { model: 'p/m', messages: [{ role: 'user', content }], ...more });
  const told = await response.text();
  const id = response.headers.get('x-sluice-exchange-id');
  let bodies: Json;
  await eventually(
    `bodies of exchange ${id}`,
    async () => {
      const answer = await fetch(`${gateway.operatorUrl}/admin/requests/${id}`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      if (answer.status !== 200) return false;
      ({ bodies } = (await answer.json()) as Json);
      return bodies !== null;
    },
    10_000,
  );
  return { bodies, status: response.status, told };
}

test('the request log holds a request as guards let it through, without what they took out', async () => {
  const { bodies, status } = await kept(`my key is ${SECRET}, keep it`);
  assert.equal(status, 200);
  assert.equal(JSON.parse(bodies.request.text).messages[0].content, 'my key is [REDACTED], keep it');
  assert.ok(!JSON.stringify(bodies).includes(SECRET));
});

for (const stream of [false, true]) {
  test(`a value that is put back for the client stands in the log of ${stream ? 'a stream' : 'an answer'} as its placeholder`, async () => {
    const { bodies, told } = await kept(`write to ${MAIL}`, { stream });
    assert.ok(told.includes(MAIL), told);
    assert.ok(!JSON.stringify(bodies).includes(MAIL), JSON.stringify(bodies));
    assert.match(JSON.stringify(bodies.response), /you said write to <Email_1>/);
  });
}

test('a request that a guard refuses is not kept but for its size, whether it refuses before the call or beside it', async () => {
  for (const words of ['BLOCKED42', MARK]) {
    const { bodies, status } = await kept(`say ${words}`);
    assert.equal(status, 400);
    assert.equal(bodies.request.text, undefined, words);
    assert.ok(bodies.request.bytes > 0);
    assert.ok(!JSON.stringify(bodies).includes(words), JSON.stringify(bodies));
  }
});

test('a request that is refused before its guards read it is not kept but for its size', async () => {
  const { bodies, status } = await kept(SECRET, { model: 'p/../m' });
  assert.equal(status, 400);
  assert.equal(bodies?.request.text, undefined);
});
