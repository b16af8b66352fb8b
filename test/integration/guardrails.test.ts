import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const SECRET = 'AKIAIOSFODNN7EXAMPLE';

const groups = {
  type: 'provider-account/guardrail-config-group',
  name: 'g',
  integrations: [
    {
      type: 'integration/guardrail-config/secret-detection',
      name: 'secrets',
      operation: 'mutate',
      enforcing_strategy: 'enforce',
    },
    {
      type: 'integration/guardrail-config/regex',
      name: 'ssn',
      operation: 'validate',
      config: { preset_patterns: { presets: ['us_ssn'] } },
    },
    {
      type: 'integration/guardrail-config/tfy-pii',
      name: 'pii',
      operation: 'mutate',
      config: { pii_categories: ['Email'], pseudonyms: true },
    },
    {
      type: 'integration/guardrail-config/regex',
      name: 'watch',
      operation: 'validate',
      enforcing_strategy: 'audit',
      config: { custom_patterns: [{ pattern: 'tiger' }] },
    },
  ],
};

const rules = {
  type: 'gateway-guardrails-config',
  rules: [
    {
      id: 'secrets',
      when: { target: { operator: 'or', conditions: { model: { condition: 'in', values: ['p/*'] } } } },
      llm_input_guardrails: ['g/ssn', 'g/pii'],
      llm_output_guardrails: ['g/secrets', 'g/ssn', 'g/watch'],
      mcp_tool_pre_invoke_guardrails: [],
      mcp_tool_post_invoke_guardrails: [],
    },
  ],
};

let provider: FakeProvider;
let gateway: RunningGateway;
const asked: { model: string; messages: { content: string }[] }[] = [];

before(async () => {
  provider = await startProvider((request, response) => {
    const body = JSON.parse(request.body.toString());
    asked.push(body);
    const said: string = body.messages.at(-1).content.replace('say: ', '');
    if (!body.stream) {
      sendJson(response, 200, completion(said));
      return;
    }
    startEvents(response);
    response.write(chunkEvent({ role: 'assistant', content: '' }));
    for (const piece of said.match(/.{1,3}/gs) ?? []) response.write(chunkEvent({ content: piece }));
    response.end(chunkEvent({}, 'stop') + DONE_EVENT);
  });
  gateway = await startGateway({
    manifests: [openAccount('p', `${provider.origin}/v1`), openAccount('free', `${provider.origin}/v1`), groups, rules],
  });
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

function chat(content: string, more: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return ask(gateway, { model: 'p/m', messages: [{ role: 'user', content }], ...more }, { headers });
}

function textOf(stream: string): string {
  return [...stream.matchAll(/^data: (\{.*\})$/gm)]
    .map(([, json]) => JSON.parse(json!).choices?.[0]?.delta?.content ?? '')
    .join('');
}

describe('guards of a chat', () => {
  for (const stream of [false, true]) {
    const form = stream ? 'a stream' : 'a whole answer';
    const read = async (response: Response): Promise<string> =>
      stream ? textOf(await response.text()) : (JSON.parse(await response.text()).choices[0].message.content as string);

    test(`a secret is taken out of ${form}`, async () => {
      const response = await chat(`say: key ${SECRET} is it`, { stream });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('x-tfy-applied-rules') ?? '', /"guardrails":\["secrets"\]/);
      assert.equal(await read(response), 'key [REDACTED] is it');
    });

    test(`e-mail addresses go to the model as placeholders and come back in ${form}`, async () => {
      const response = await chat('say: write to bob@example.com or ann@example.com, bob@example.com', { stream });
      assert.equal(await read(response), 'write to bob@example.com or ann@example.com, bob@example.com');
      assert.equal(asked.at(-1)?.messages[0]?.content, 'say: write to <Email_1> or <Email_2>, <Email_1>');
    });
  }

  test('what a guard of the input refuses is answered as the reference product does, and nobody is asked', async () => {
    const before = asked.length;
    const response = await chat('my number is 123-45-6789');
    assert.equal(response.status, 400);
    const body = JSON.parse(await response.text());
    assert.equal(body.status, 'failure');
    assert.equal(body.message, 'Input Guardrail checks failed for integrations: [g/ssn]');
    assert.deepEqual([body.error.type, body.error.code], ['guardrail_checks_failed', '400']);
    assert.deepEqual(body.guardrail_checks.input_guardrails[0].guardrail_integration, 'g/ssn');
    assert.equal(asked.length, before);
    const refusals = () => gateway.records({ 'error.type': 'guardrail_blocked' });
    await eventually('a record of the refusal', () => refusals().length > 0);
  });

  test('guards of models that are not named leave a chat alone', async () => {
    const response = await chat('say: 123-45-6789', { model: 'free/m' });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /123-45-6789/);
  });

  test('a request names guards for itself, and one that is not there is refused', async () => {
    const named = (names: string[]) => ({ 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: names }) });
    const refused = await chat('say: 123-45-6789', { model: 'free/m' }, named(['g/ssn']));
    assert.equal(refused.status, 400);
    await refused.text();
    const unknown = await chat('say: hi', { model: 'free/m' }, named(['g/none']));
    assert.equal(unknown.status, 400);
    assert.match(await unknown.text(), /unknown_guardrail/);
  });
});
