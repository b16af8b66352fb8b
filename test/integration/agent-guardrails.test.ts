import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { legacyHttpServer, remote, type TestServer } from '../support/mcp-servers.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';

interface Asked {
  messages: { role: string; content: string | null }[];
}

let provider: FakeProvider;
let gateway: RunningGateway;
let server: TestServer;
const asked: Asked[] = [];
/** What the model says in turn after turn. */
let script: (turn: number) => { call?: object; texts?: string[] };

before(async () => {
  server = await legacyHttpServer();
  provider = await startProvider(({ body }, response) => {
    asked.push(JSON.parse(body.toString()));
    const { call, texts = [] } = script(asked.length);
    response.setHeader('content-type', 'text/event-stream');
    const send = (delta: object, finish_reason: string | null): void => {
      const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
      response.write(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    };
    for (const content of texts) send({ content }, null);
    if (call) {
      const told = { name: 'echo', arguments: JSON.stringify(call) };
      send({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: told }] }, null);
    }
    send({}, call ? 'tool_calls' : 'stop');
    response.end('data: [DONE]\n\n');
  });
  const regex = (name: string, operation: string, pattern: string): object => ({
    type: 'integration/guardrail-config/regex',
    name,
    operation,
    config: { custom_patterns: [{ pattern, redaction_text: '[GONE]' }] },
  });
  gateway = await startGateway({
    manifests: [
      selfHosted('model', `${provider.origin}/v1`, ['m']),
      remote('old', server.url),
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          regex('model-in', 'mutate', 'pear'),
          regex('model-in-refuses', 'validate', 'poison'),
          regex('model-out', 'mutate', 'plum'),
          regex('tool-in', 'mutate', 'apple'),
          regex('tool-in-refuses', 'validate', 'forbidden'),
          regex('tool-out', 'mutate', 'old'),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'all',
            when: {},
            llm_input_guardrails: ['g/model-in', 'g/model-in-refuses'],
            llm_output_guardrails: ['g/model-out'],
            mcp_tool_pre_invoke_guardrails: ['g/tool-in', 'g/tool-in-refuses'],
            mcp_tool_post_invoke_guardrails: ['g/tool-out'],
          },
        ],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const each of [provider, server]) await each?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  asked.length = 0;
});

const FORMS: Record<string, (content: string) => object> = {
  '/agent/chat/completions': (content) => ({ messages: [{ role: 'user', content }] }),
  '/agent/responses': (input) => ({ input }),
};

async function run(path: string, content: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'model/m',
      stream: true,
      mcp_servers: [{ integration_fqn: 'old' }],
      ...FORMS[path]!(content),
    }),
  });
  return { status: answer.status, text: await answer.text() };
}

const callsOf = (word: string): number => server.seen.filter(({ body }) => body.includes(word)).length;

for (const path of Object.keys(FORMS)) {
  describe(path, () => {
    test(`guards read each turn of a model of ${path}, and its client gets the answer as they leave it`, async () => {
      script = (turn) => (turn === 1 ? { call: { text: 'a pear' } } : { texts: ['one pl', 'um and', ' more'] });
      const { status, text } = await run(path, 'a pear');
      assert.equal(status, 200, text);
      assert.equal(asked.length, 2);
      for (const each of asked) assert.ok(!JSON.stringify(each).includes('pear'), JSON.stringify(each));
      assert.match(asked[0]!.messages.at(-1)!.content!, /a \[GONE\]/);
      assert.ok(!text.includes('plum') && !/one pl"/.test(text), text);
      assert.match(text, /\[GONE\]/);
    });

    test(`a tool of ${path} gets the arguments that guards leave, and model and client the result that they leave`, async () => {
      script = (turn) => (turn === 1 ? { call: { text: 'an apple' } } : { texts: ['Done.'] });
      const { status, text } = await run(path, 'Go');
      assert.equal(status, 200, text);
      assert.ok(callsOf('an [GONE]') > 0);
      assert.equal(callsOf('an apple'), 0);
      const result = asked[1]!.messages.at(-1)!;
      assert.equal(result.role, 'tool');
      assert.equal(result.content, '[GONE]: an [GONE]');
      assert.match(text, /\[GONE\]: an \[GONE\]/);
      assert.ok(!text.includes('old: '), text);
    });

    test(`a call that a guard refuses reaches no tool, and the model of ${path} is told so and goes on`, async () => {
      script = (turn) => (turn === 1 ? { call: { text: 'forbidden' } } : { texts: ['I could not.'] });
      const { status, text } = await run(path, 'Go');
      assert.equal(status, 200, text);
      assert.equal(callsOf('forbidden'), 0);
      assert.match(asked[1]!.messages.at(-1)!.content!, /g\/tool-in-refuses/);
      assert.match(text, /I could not\./);
      await eventually('the record of the refused call', () =>
        gateway
          .records({ 'gen_ai.request.model': 'mcp:old/echo' })
          .some((each) => JSON.stringify(each).includes('guardrail_blocked')),
      );
    });

    test(`a prompt that a guard refuses reaches no model of ${path}`, async () => {
      script = () => ({ texts: ['no'] });
      const { text } = await run(path, 'poison');
      assert.equal(asked.length, 0);
      assert.match(text, /g\/model-in-refuses/);
    });
  });
}
