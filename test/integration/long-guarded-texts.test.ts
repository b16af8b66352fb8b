import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const SECRET = `ghp_${'a1'.repeat(18)}`;
const LONG = 'It was in 1984 that they met; nobody knew why. '.repeat(10_000);

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((_, response) => sendJson(response, 200, completion(`${LONG} ${SECRET}`)));
  const guard = (type: string, name: string, more: object) => ({
    type: `integration/guardrail-config/${type}`,
    name,
    ...more,
  });
  gateway = await startGateway({
    manifests: [
      openAccount('own', `${provider.origin}/v1`),
      { type: 'gateway-global-settings', guardrail_settings: { offload_characters: 10_000 } },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          guard('secret-detection', 'secrets', { operation: 'mutate' }),
          guard('tfy-pii', 'pii', { operation: 'mutate', config: { pii_categories: ['*'], pseudonyms: true } }),
          guard('sql-sanitizer', 'sql', { operation: 'validate', config: { block_drop: true } }),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'all',
            when: {},
            llm_input_guardrails: ['g/secrets', 'g/pii', 'g/sql'],
            llm_output_guardrails: ['g/secrets'],
            mcp_tool_pre_invoke_guardrails: [],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

function chat(content: string): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'own/m', messages: [{ role: 'user', content }] }),
  });
}

test('texts that local guards read in other threads go on and come back as guards leave them', async () => {
  const response = await chat(`${LONG} ${SECRET} ann@example.com`);
  const text = await response.text();
  assert.equal(response.status, 200, text.slice(0, 500));
  const sent = JSON.parse(provider.requests.at(-1)!.body.toString()).messages[0].content as string;
  assert.equal(sent, `${LONG} [REDACTED] <Email_1>`);
  assert.equal(JSON.parse(text).choices[0].message.content, `${LONG} [REDACTED]`);
});

test('a long text that a guard refuses in another thread reaches no model', async () => {
  const before = provider.requests.length;
  const response = await chat(`${LONG}\n\nDROP TABLE users;`);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /g\/sql/);
  assert.equal(provider.requests.length, before);
});
