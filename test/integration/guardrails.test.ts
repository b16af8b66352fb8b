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

/** A guard of the operator's own: what it does is told by the text that it is asked about. */
const custom = (name: string, url: string): object => ({
  type: 'integration/guardrail-config/custom',
  name,
  operation: 'validate',
  enforcing_strategy: 'enforce',
  config: { url },
});

const rules = {
  type: 'gateway-guardrails-config',
  rules: [
    {
      id: 'beside',
      when: { target: { operator: 'or', conditions: { model: { condition: 'in', values: ['beside/*'] } } } },
      llm_input_guardrails: ['own/beside'],
      llm_output_guardrails: [],
      mcp_tool_pre_invoke_guardrails: [],
      mcp_tool_post_invoke_guardrails: [],
      custom_error_message: 'Not here: {{guardrail_message}}',
    },
    {
      id: 'whole',
      when: { target: { operator: 'or', conditions: { model: { condition: 'in', values: ['whole/*'] } } } },
      llm_input_guardrails: [],
      llm_output_guardrails: ['own/beside'],
      mcp_tool_pre_invoke_guardrails: [],
      mcp_tool_post_invoke_guardrails: [],
    },
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
let guard: FakeProvider;
/** Bodies that the guard was asked about, and answers that wait for the test. */
const judged: { requestBody: unknown; responseBody?: unknown; answer: (verdict: object) => void }[] = [];
let gateway: RunningGateway;
const asked: { model: string; messages: { content: string }[] }[] = [];

before(async () => {
  provider = await startProvider((request, response) => {
    const body = JSON.parse(request.body.toString());
    asked.push(body);
    if (request.path.endsWith('/messages')) {
      sendJson(response, 200, {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [{ type: 'text', text: body.messages.at(-1).content }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 1, output_tokens: 1 },
      });
      return;
    }
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
  guard = await startProvider((request, response) => {
    const body = JSON.parse(request.body.toString());
    judged.push({ ...body, answer: (verdict) => sendJson(response, 200, verdict) });
  });
  const url = `${provider.origin}/v1`;
  const own = {
    type: 'provider-account/guardrail-config-group',
    name: 'own',
    integrations: [custom('beside', `${guard.origin}/check`)],
  };
  const accounts = ['p', 'free', 'beside', 'whole'].map((name) => openAccount(name, url));
  gateway = await startGateway({ manifests: [...accounts, groups, own, rules] });
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  await guard[Symbol.asyncDispose]();
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

  test('a refusal by a guard of the input is answered as the reference product does, and nobody is asked', async () => {
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
    assert.equal(JSON.parse(await unknown.text()).error.code, 'unknown_guardrail');
  });
});

/** What the guard is asked next. */
async function nextJudged(): Promise<(typeof judged)[number]> {
  await eventually('the guard is asked', () => judged.length > 0);
  return judged.shift()!;
}

describe('a guard that is asked by HTTP', () => {
  for (const stream of [false, true]) {
    test(`${stream ? 'a stream' : 'a whole answer'} waits with its first byte for the guard of its request, which the model does not`, async () => {
      const before = asked.length;
      const response = chat('say: hello there', { model: 'beside/m', stream });
      const { requestBody, answer } = await nextJudged();
      assert.match(JSON.stringify(requestBody), /hello there/);
      await eventually('the model is asked', () => asked.length > before);
      let isAnswered = false;
      response.then(() => (isAnswered = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(isAnswered, false);
      answer({ verdict: true });
      const answered = await response;
      assert.equal(answered.status, 200);
      assert.match(await answered.text(), /hel/);
    });

    test(`a guard that refuses beside the call ends ${stream ? 'a stream' : 'a whole answer'} with a status, in the words of the rule`, async () => {
      const response = chat('say: hello there', { model: 'beside/m', stream });
      const { answer } = await nextJudged();
      answer({ verdict: false, message: 'no greetings' });
      const answered = await response;
      assert.equal(answered.status, 400);
      const body = JSON.parse(await answered.text());
      assert.equal(body.message, 'Not here: no greetings');
      assert.equal(body.error.type, 'guardrail_checks_failed');
    });

    test(`${stream ? 'a stream' : 'a whole answer'} is held until the guard of answers has read all of it`, async () => {
      const response = chat('say: the whole answer', { model: 'whole/m', stream });
      const { responseBody, answer } = await nextJudged();
      assert.match(JSON.stringify(responseBody), /the whole answer/);
      answer({ verdict: false, message: 'no answers' });
      const answered = await response;
      assert.equal(answered.status, 400);
      assert.doesNotMatch(await answered.text(), /the whole answer/);
    });
  }

  test('nobody is asked before the verdict where calls wait for guards', async () => {
    const before = asked.length;
    const headers = { 'x-tfy-guardrails': '{"enable_parallel_execution":false}' };
    const response = chat('say: hello', { model: 'beside/m' }, headers);
    const { answer } = await nextJudged();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(asked.length, before);
    answer({ verdict: true });
    assert.equal((await response).status, 200);
    assert.equal(asked.length, before + 1);
  });
});

test('a message that is refused is told in the form of messages', async () => {
  const body = { model: 'p/m', max_tokens: 10, messages: [{ role: 'user', content: 'my number is 123-45-6789' }] };
  const response = await ask(gateway, body, { path: '/v1/messages' });
  assert.equal(response.status, 400);
  const { type, error } = JSON.parse(await response.text());
  assert.equal(type, 'error');
  assert.match(error.message, /Input Guardrail checks failed for integrations: \[g\/ssn\]/);
});

test('a response over a chat is redacted in all of its events, and refused in its own form', async () => {
  const send = (input: string) => ask(gateway, { model: 'p/m', stream: true, input }, { path: '/v1/responses' });
  const stream = await (await send(`say: key ${SECRET} is it`)).text();
  assert.match(stream, /event: response\.completed/);
  assert.doesNotMatch(stream, new RegExp(SECRET));
  assert.ok(stream.includes('key [REDACTED] is it'));
  const refused = await send('123-45-6789');
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /guardrail_checks_failed/);
});

test('metrics count what each guard came to', async () => {
  await eventually('the guards are counted', async () => {
    const metrics = await gateway.metrics();
    return (
      /ai_gateway_guardrail_requests_total\{[^}]*guardrail_fqn="g\/secrets"[^}]*result="mutated"[^}]*\} [1-9]/.test(
        metrics,
      ) && /ai_gateway_guardrail_execution_latency_ms_count\{guardrail_fqn="own\/beside"\} [1-9]/.test(metrics)
    );
  });
});

test('hooks of Claude Code are answered in their own words', async () => {
  const asks = {
    llm_input_guardrails: ['g/ssn'],
    mcp_tool_pre_invoke_guardrails: ['g/ssn', 'g/secrets'],
    mcp_tool_post_invoke_guardrails: ['g/secrets'],
  };
  const hook = async (payload: object) => {
    const headers = { 'x-tfy-guardrails': JSON.stringify(asks) };
    const response = await ask(gateway, payload, { path: '/hooks/claude-code', headers });
    assert.equal(response.status, 200);
    return JSON.parse(await response.text());
  };
  assert.deepEqual(await hook({ hook_event_name: 'UserPromptSubmit', prompt: 'hello' }), {});
  assert.equal((await hook({ hook_event_name: 'UserPromptSubmit', prompt: 'I am 123-45-6789' })).decision, 'block');
  const tool = { hook_event_name: 'PreToolUse', tool_name: 'Bash' };
  assert.deepEqual(await hook({ ...tool, tool_input: { command: 'ls' } }), {});
  const denied = await hook({ ...tool, tool_input: { command: 'echo 123-45-6789' } });
  assert.equal(denied.hookSpecificOutput.permissionDecision, 'deny');
  const changed = await hook({ ...tool, tool_input: { command: `echo ${SECRET}`, timeout: 5 } });
  assert.deepEqual(changed.hookSpecificOutput.updatedInput, { command: 'echo [REDACTED]', timeout: 5 });
  const after = await hook({ hook_event_name: 'PostToolUse', tool_name: 'Bash', tool_response: { stdout: SECRET } });
  assert.deepEqual(after.hookSpecificOutput.updatedToolOutput, { stdout: '[REDACTED]' });
});

test('the words of an embedding are guarded as those of a chat', async () => {
  const response = await ask(gateway, { model: 'p/m', input: ['hello', '123-45-6789'] }, { path: '/v1/embeddings' });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /guardrail_checks_failed/);
});
