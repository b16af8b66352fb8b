/** Guards of others that hang, die or answer nonsense, seen by clients of each form; and what they change, wherever it is told. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask } from '../support/chat-client.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { legacyClient, textOf } from '../support/mcp-clients.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const FAULTS = ['hangs', 'dies', 'babbles', 'fails'] as const;
const STRATEGIES = ['enforce', 'enforce_but_ignore_on_error', 'audit'] as const;
const WORD = 'plumsecret';
const TIMEOUT_MS = 300;

let provider: FakeProvider;
let service: FakeProvider;
let tools: TestServer;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => {
    const { stream, n = 1 } = JSON.parse(request.body.toString());
    if (!stream) {
      const { choices, ...rest } = completion(`It is ${WORD}.`) as { choices: object[] };
      sendJson(response, 200, {
        ...rest,
        choices: Array.from({ length: n }, (_, index) => ({ ...choices[0], index })),
      });
      return;
    }
    startEvents(response);
    for (const content of ['It is ', 'plum', 'secret', '.']) response.write(chunkEvent({ content }));
    response.end(chunkEvent({}, 'stop') + DONE_EVENT);
  });
  service = await startProvider((request, response) => {
    if (request.path.startsWith('/hangs')) return;
    if (request.path.startsWith('/dies')) response.destroy();
    else if (request.path.startsWith('/babbles')) response.end('<html>what?</html>');
    else if (request.path.startsWith('/fails')) sendJson(response, 500, { error: 'broken' });
    else {
      const { texts = [] } = JSON.parse(request.body.toString());
      const changed = (texts as string[]).map((text) => text.replaceAll(WORD, '***'));
      sendJson(response, 200, { action: 'GUARDRAIL_INTERVENED', texts: changed });
    }
  });
  tools = await legacyHttpServer();
  const guard = (name: string, path: string, more: object): object => ({
    type: 'integration/guardrail-config/custom',
    name,
    config: { url: `${service.origin}/${path}`, contract: 'litellm' },
    ...more,
  });
  const group = {
    type: 'provider-account/guardrail-config-group',
    name: 'f',
    integrations: [
      ...FAULTS.flatMap((fault) =>
        STRATEGIES.map((strategy) =>
          guard(`${fault}-${strategy}`, fault, { operation: 'validate', enforcing_strategy: strategy }),
        ),
      ),
      guard('change', 'change', { operation: 'mutate', enforcing_strategy: 'enforce' }),
    ],
  };
  gateway = await startGateway({
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      remote('tools', tools.url, { collaborators: [{ subject: 'team:everyone', role_id: 'mcp-server-user' }] }),
      group,
      { type: 'gateway-global-settings', guardrail_settings: { timeout_ms: TIMEOUT_MS } },
    ],
  });
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  await tools[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

const messages = [{ role: 'user', content: 'hello' }];
const FORMS: Record<string, readonly [path: string, body: object]> = {
  'a chat': ['/v1/chat/completions', { messages }],
  'a message': ['/v1/messages', { messages, max_tokens: 9 }],
  'a response': ['/v1/responses', { input: 'hello' }],
};
const HOOKS = ['llm_input_guardrails', 'llm_output_guardrails'] as const;

for (const [form, [path, body]] of Object.entries(FORMS)) {
  for (const stream of [false, true]) {
    describe(`${form}${stream ? ' as a stream' : ''}`, () => {
      for (const strategy of STRATEGIES) {
        test(`${form}${stream ? ' as a stream' : ''} ends in time as ${strategy} says, whatever becomes of its guards`, async () => {
          for (const hook of HOOKS) {
            for (const fault of FAULTS) {
              const headers = { 'x-tfy-guardrails': JSON.stringify({ [hook]: [`f/${fault}-${strategy}`] }) };
              const began = performance.now();
              const response = await ask(gateway, { model: 'p/m', stream, ...body }, { path, headers });
              const text = await response.text();
              const about = `${hook} ${fault}: ${response.status} ${text}`;
              assert.ok(performance.now() - began < 20 * TIMEOUT_MS, about);
              if (strategy === 'enforce') {
                assert.equal(response.status, 503, about);
                assert.ok(!text.includes('plum'), about);
              } else {
                assert.equal(response.status, 200, about);
                assert.match(text, /plum/, about);
              }
            }
          }
        });
      }
    });
  }
}

for (const strategy of STRATEGIES) {
  test(`a call of a tool ends in time as ${strategy} says, whatever becomes of its guards`, async () => {
    for (const hook of ['mcp_tool_pre_invoke_guardrails', 'mcp_tool_post_invoke_guardrails']) {
      for (const fault of FAULTS) {
        const headers = { 'x-tfy-guardrails': JSON.stringify({ [hook]: [`f/${fault}-${strategy}`] }) };
        const { client } = await legacyClient(`${gateway.url}/mcp/v1/tools/mcp`, { headers });
        const called = client.callTool({ name: 'echo', arguments: { text: WORD } }).then(textOf);
        if (strategy === 'enforce') await assert.rejects(called, (error: Error) => !error.message.includes(WORD));
        else assert.match(await called, /plum/, `${hook} ${fault}`);
        await client.close();
      }
    }
  });
}

describe('what a service changes stands nowhere', () => {
  const headers = { 'x-tfy-guardrails': JSON.stringify({ llm_output_guardrails: ['f/change'] }) };

  for (const [form, [path, body]] of Object.entries(FORMS)) {
    for (const stream of [false, true]) {
      test(`a text that a service changed stands nowhere in ${form}${stream ? ' as a stream' : ''}`, async () => {
        const n = form === 'a chat' && !stream ? { n: 2 } : {};
        const response = await ask(gateway, { model: 'p/m', stream, ...body, ...n }, { path, headers });
        const text = await response.text();
        assert.equal(response.status, 200, text);
        assert.ok(text.includes('***') && !text.includes('plum'), text);
      });
    }
  }

  test('a text that a service changed stands nowhere in a kept response, nor in one of the background', async () => {
    for (const more of [{ stream: true }, { background: true }]) {
      const response = await ask(
        gateway,
        { model: 'p/m', input: 'hello', ...more },
        { path: '/v1/responses', headers },
      );
      const id = /resp_[\w-]+/.exec(await response.text())![0];
      let kept = '';
      await eventually('the response is kept', async () => {
        const answer = await fetch(`${gateway.url}/v1/responses/${id}`, {
          headers: { authorization: `Bearer ${KEY}` },
        });
        kept = await answer.text();
        return kept.includes('"status":"completed"');
      });
      assert.ok(kept.includes('***') && !kept.includes('plum'), kept);
    }
  });
});

test('a hook of Claude Code that names a guard where there is none is refused', async () => {
  const none = await startGateway({ manifests: [openAccount('p', `${provider.origin}/v1`)] });
  try {
    const headers = { 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: ['f/change'] }) };
    const hook = { hook_event_name: 'UserPromptSubmit', prompt: 'hello' };
    const response = await ask(none, hook, { path: '/hooks/claude-code', headers });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /f\/change/);
  } finally {
    await none[Symbol.asyncDispose]();
  }
});
