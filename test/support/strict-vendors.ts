import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { awsEvent } from './aws-events.ts';

/*
 * Vendors as strict as they are: each refuses keys it does not know, calls without results, results without calls, and
 * signatures that it did not make or that were made for other words. To a user each thinks and calls, to a result of a tool
 * each thinks and answers.
 */

/** As JSON.parse gives it: a vendor looks at what it was sent, whatever that is. */
type Json = ReturnType<typeof JSON.parse>;
export interface StrictVendor {
  readonly manifest: Json;
  readonly model: string;
  /** Throws what the vendor would refuse. Gives the answer, whole or as a stream. */
  answer(body: Json, stream: boolean): string | Buffer;
  /** How many own signatures came back. */
  returned: number;
}

function mint(vendor: string, words: string): string {
  return createHmac('sha256', vendor).update(words).digest('base64');
}

function onlyKeys(value: Json, keys: string, what: string): void {
  const known = keys.split(' ');
  for (const key of Object.keys(value)) assert.ok(known.includes(key), `${what} has an unknown key: ${key}`);
}

const THOUGHT = 'I look it up.';
const ARGUMENTS = { city: 'Zürich' };
let made = 0;

function nextId(prefix: string): string {
  made += 1;
  return `${prefix}${made}`;
}

function sse(events: readonly (Json | string)[], named: boolean): string {
  const lines = events.map((event) => {
    if (typeof event === 'string') return `data: ${event}\n\n`;
    return `${named ? `event: ${event['type']}\n` : ''}data: ${JSON.stringify(event)}\n\n`;
  });
  return lines.join('');
}

/** Roles alternate, from the user on; every call of a turn has its result in the next, and nothing else has one. */
function checkTurns(turns: readonly { role: string; calls: string[]; results: string[] }[], user: string): void {
  for (const [index, { role, calls, results }] of turns.entries()) {
    assert.equal(role === user, index % 2 === 0, `turn ${index} is of the role ${role}`);
    assert.deepEqual(results.toSorted(), (turns[index - 1]?.calls ?? []).toSorted(), `results of turn ${index}`);
    if (index === turns.length - 1) assert.deepEqual(calls, []);
  }
}

const STRICT_ID = /^[a-zA-Z0-9_-]{1,64}$/;

/** Claude's signatures are good at Anthropic and on Bedrock. */
const CLAUDE = 'claude';

export const anthropic: StrictVendor = {
  manifest: { type: 'provider-account/anthropic', name: 'anthropic', auth_data: { type: 'api-key', api_key: 'k' } },
  model: 'claude-sonnet-4-5',
  returned: 0,
  answer(body, stream) {
    onlyKeys(body, 'model messages system max_tokens stream tools thinking tool_choice', 'the request');
    const turns = body['messages'].map(({ role, content, ...others }: Json) => {
      onlyKeys(others, '', 'a message');
      const turn = { role, calls: [] as string[], results: [] as string[] };
      for (const [at, block] of content.entries()) {
        if (block.type === 'thinking') {
          onlyKeys(block, 'type thinking signature', 'thinking');
          assert.equal(block.signature, mint(CLAUDE, block.thinking), 'Invalid `signature` in `thinking` block');
          anthropic.returned += 1;
        } else if (block.type === 'tool_use') {
          onlyKeys(block, 'type id name input', 'tool_use');
          assert.match(block.id, STRICT_ID);
          turn.calls.push(block.id);
        } else if (block.type === 'tool_result') {
          onlyKeys(block, 'type tool_use_id content is_error', 'tool_result');
          assert.equal(turn.results.length, at, 'results come first');
          turn.results.push(block.tool_use_id);
        } else {
          onlyKeys(block, 'type text', block.type);
          assert.ok(block.text.trim());
        }
      }
      return turn;
    });
    checkTurns(turns, 'user');
    const asksAgain = turns.at(-1).results.length > 0;
    const before = body['messages'].at(-2)?.content[0];
    if (asksAgain && body['thinking'] !== undefined) {
      assert.equal(before.type, 'thinking', 'Expected `thinking`, but found `tool_use`');
    }
    const thinking = { type: 'thinking', thinking: THOUGHT, signature: mint(CLAUDE, THOUGHT) };
    const call = { type: 'tool_use', id: nextId('toolu_'), name: 'weather', input: ARGUMENTS };
    const said = asksAgain ? { type: 'text', text: '12 degrees' } : call;
    const usage = { input_tokens: 5, output_tokens: 7 };
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'c', stop_sequence: null, usage };
    const stop = asksAgain ? 'end_turn' : 'tool_use';
    if (!stream) return JSON.stringify({ ...message, content: [thinking, said], stop_reason: stop });
    const delta = (index: number, change: Json) => ({ type: 'content_block_delta', index, delta: change });
    return sse(
      [
        { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
        { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
        delta(0, { type: 'thinking_delta', thinking: THOUGHT }),
        delta(0, { type: 'signature_delta', signature: thinking.signature }),
        { type: 'content_block_stop', index: 0 },
        {
          type: 'content_block_start',
          index: 1,
          content_block: asksAgain ? { type: 'text', text: '' } : { ...call, input: {} },
        },
        delta(
          1,
          asksAgain
            ? { type: 'text_delta', text: '12 degrees' }
            : { type: 'input_json_delta', partial_json: JSON.stringify(ARGUMENTS) },
        ),
        { type: 'content_block_stop', index: 1 },
        { type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, usage },
        { type: 'message_stop' },
      ],
      true,
    );
  },
};

const GEMINI = 'gemini';
const NOT_VALIDATED = 'skip_thought_signature_validator';

export const gemini: StrictVendor = {
  manifest: {
    type: 'provider-account/google-gemini',
    name: 'gemini',
    auth_data: { type: 'api-key', apiKey: 'k' },
  },
  model: 'gemini-3-pro',
  returned: 0,
  answer(body, stream) {
    onlyKeys(body, 'contents systemInstruction tools toolConfig generationConfig', 'the request');
    const turns = body['contents'].map(({ role, parts, ...others }: Json) => {
      onlyKeys(others, '', 'a content');
      const turn = { role, calls: [] as string[], results: [] as string[] };
      for (const part of parts) {
        onlyKeys(part, 'text thoughtSignature functionCall functionResponse', 'a part');
        const { functionCall: call, functionResponse: response, thoughtSignature: signature } = part;
        if (call) {
          onlyKeys(call, 'name args', 'functionCall');
          if (turn.calls.length === 0) assert.ok(signature, 'Function call is missing a thought_signature');
          turn.calls.push(call.name);
        }
        if (response) turn.results.push(response.name);
        if (signature === undefined || signature === NOT_VALIDATED) continue;
        assert.equal(
          signature,
          mint(GEMINI, call ? JSON.stringify(call.args) : part.text),
          'Corrupted thought signature',
        );
        gemini.returned += 1;
      }
      return turn;
    });
    checkTurns(turns, 'user');
    const asksAgain = turns.at(-1).results.length > 0;
    const thought = { thought: true, text: THOUGHT };
    const call = {
      functionCall: { name: 'weather', args: ARGUMENTS },
      thoughtSignature: mint(GEMINI, JSON.stringify(ARGUMENTS)),
    };
    const text = { text: '13 degrees', thoughtSignature: mint(GEMINI, '13 degrees') };
    const parts = [thought, asksAgain ? text : call];
    const answer = {
      responseId: nextId('resp-of-gemini-'),
      modelVersion: 'gemini-3-pro',
      candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 7 },
    };
    return stream ? sse([answer], false) : JSON.stringify(answer);
  },
};

export const openai: StrictVendor = {
  manifest: { type: 'provider-account/openai', name: 'openai', auth_data: { type: 'api-key', api_key: 'k' } },
  model: 'gpt-4o',
  returned: 0,
  answer(body, stream) {
    onlyKeys(body, 'model messages tools stream stream_options max_tokens reasoning_effort', 'the request');
    let open: string[] = [];
    let asksAgain = false;
    for (const message of body['messages']) {
      const { role } = message;
      if (role !== 'tool') assert.deepEqual(open, [], 'a call has no result');
      if (role === 'tool') {
        onlyKeys(message, 'role tool_call_id content', 'a tool message');
        assert.ok(open.includes(message.tool_call_id), 'a result has no call');
        open = open.filter((id) => id !== message.tool_call_id);
      } else if (role === 'assistant') {
        onlyKeys(
          message,
          'role content refusal annotations tool_calls name audio function_call',
          'an assistant message',
        );
        open = (message.tool_calls ?? []).map(({ id }: Json) => id);
        for (const id of open) assert.ok(id.length <= 40, `string too long: ${id}`);
      } else onlyKeys(message, 'role content name', 'a message');
      asksAgain = role === 'tool';
    }
    const call = {
      id: nextId('call_'),
      type: 'function',
      function: { name: 'weather', arguments: JSON.stringify(ARGUMENTS) },
    };
    const message = asksAgain
      ? { role: 'assistant', content: '14 degrees', refusal: null }
      : { role: 'assistant', content: null, refusal: null, tool_calls: [call] };
    const finish = asksAgain ? 'stop' : 'tool_calls';
    const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
    const base = { id: 'chatcmpl-1', created: 1, model: 'gpt-4o' };
    if (!stream) {
      const choices = [{ index: 0, message, finish_reason: finish }];
      return JSON.stringify({ ...base, object: 'chat.completion', choices, usage });
    }
    const delta = asksAgain ? message : { ...message, tool_calls: [{ index: 0, ...call }] };
    const chunk = (choice: Json) => ({ ...base, object: 'chat.completion.chunk', choices: [choice] });
    const last = { ...base, object: 'chat.completion.chunk', choices: [], usage };
    const choices = [
      { index: 0, delta, finish_reason: null },
      { index: 0, delta: {}, finish_reason: finish },
    ];
    return sse([...choices.map(chunk), last, '[DONE]'], false);
  },
};

export const bedrock: StrictVendor = {
  manifest: {
    type: 'provider-account/aws-bedrock',
    name: 'bedrock',
    region: 'eu-west-1',
    auth_data: { type: 'api-key', api_key: 'k' },
  },
  model: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
  returned: 0,
  answer(body, stream) {
    const known = 'messages system inferenceConfig toolConfig additionalModelRequestFields';
    onlyKeys(body, known, 'the request');
    const turns = body['messages'].map(({ role, content, ...others }: Json) => {
      onlyKeys(others, '', 'a message');
      const turn = { role, calls: [] as string[], results: [] as string[] };
      for (const block of content) {
        onlyKeys(block, 'text toolUse toolResult reasoningContent', 'a block');
        const { toolUse, toolResult, reasoningContent } = block;
        if (reasoningContent) {
          const { text, signature } = reasoningContent.reasoningText;
          assert.equal(signature, mint(CLAUDE, text), 'Invalid `signature` in `thinking` block');
          bedrock.returned += 1;
        }
        if (toolUse) {
          onlyKeys(toolUse, 'toolUseId name input', 'toolUse');
          assert.match(toolUse.toolUseId, STRICT_ID);
          turn.calls.push(toolUse.toolUseId);
        }
        if (toolResult) {
          onlyKeys(toolResult, 'toolUseId content status', 'toolResult');
          turn.results.push(toolResult.toolUseId);
        }
      }
      return turn;
    });
    checkTurns(turns, 'user');
    const asksAgain = turns.at(-1).results.length > 0;
    if (asksAgain && body['additionalModelRequestFields']?.thinking) {
      const before = body['messages'].at(-2).content[0];
      assert.ok(before.reasoningContent, 'Expected `thinking`, but found `tool_use`');
    }
    const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 };
    const toolUseId = nextId('tooluse_');
    const signature = mint(CLAUDE, THOUGHT);
    const stopReason = asksAgain ? 'end_turn' : 'tool_use';
    const reasoning = { reasoningContent: { reasoningText: { text: THOUGHT, signature } } };
    const said = asksAgain ? { text: '15 degrees' } : { toolUse: { toolUseId, name: 'weather', input: ARGUMENTS } };
    if (!stream) {
      const message = { role: 'assistant', content: [reasoning, said] };
      return JSON.stringify({ output: { message }, stopReason, usage });
    }
    const delta = (contentBlockIndex: number, change: Json) =>
      awsEvent('contentBlockDelta', { contentBlockIndex, delta: change });
    const stop = (contentBlockIndex: number) => awsEvent('contentBlockStop', { contentBlockIndex });
    const start = { contentBlockIndex: 1, start: { toolUse: { toolUseId, name: 'weather' } } };
    return Buffer.concat([
      awsEvent('messageStart', { role: 'assistant' }),
      delta(0, { reasoningContent: { text: THOUGHT } }),
      delta(0, { reasoningContent: { signature } }),
      stop(0),
      ...(asksAgain
        ? [delta(1, { text: '15 degrees' })]
        : [awsEvent('contentBlockStart', start), delta(1, { toolUse: { input: JSON.stringify(ARGUMENTS) } })]),
      stop(1),
      awsEvent('messageStop', { stopReason }),
      awsEvent('metadata', { usage }),
    ]);
  },
};

interface Schema {
  parse(value: unknown, options: object): { ok: boolean };
}

/** The SDK's own description of a request, which it does not export. */
export function cohereSchema(name: 'V2ChatRequest' | 'V2ChatStreamRequest'): Schema {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('cohere-ai')), 'serialization/resources/v2/client/requests');
  return require(join(folder, `${name}.js`))[name];
}

export const cohere: StrictVendor = {
  manifest: { type: 'provider-account/cohere', name: 'cohere', auth_data: { type: 'api-key', api_key: 'k' } },
  model: 'command-a-reasoning-08-2025',
  returned: 0,
  answer({ stream: _stream, ...body }, stream) {
    const parsed = cohereSchema('V2ChatRequest').parse(body, { unrecognizedObjectKeys: 'fail' });
    assert.ok(parsed.ok, JSON.stringify(parsed));
    let open: string[] = [];
    for (const message of body['messages']) {
      if (message.role !== 'tool') assert.deepEqual(open, [], 'a call has no result');
      if (message.role === 'tool') {
        assert.ok(open.includes(message.tool_call_id), 'a result has no call');
        open = open.filter((id) => id !== message.tool_call_id);
      } else if (message.role === 'assistant') {
        assert.ok(message.content !== undefined || message.tool_calls !== undefined, 'message must not be empty');
        open = (message.tool_calls ?? []).map(({ id }: Json) => id);
        for (const part of message.content ?? []) if (part.type === 'thinking') cohere.returned += 1;
      }
    }
    const asksAgain = body['messages'].at(-1).role === 'tool';
    const call = { id: nextId('weather_'), type: 'function', function: { name: 'weather', arguments: '' } };
    const text = JSON.stringify(ARGUMENTS);
    const usage = {
      billed_units: { input_tokens: 4, output_tokens: 6 },
      tokens: { input_tokens: 5, output_tokens: 7 },
    };
    const end = { finish_reason: asksAgain ? 'COMPLETE' : 'TOOL_CALL', usage };
    const thinking = { type: 'thinking', thinking: THOUGHT };
    if (!stream) {
      const content = asksAgain ? [thinking, { type: 'text', text: '16 degrees' }] : [thinking];
      const calls = [{ ...call, function: { name: 'weather', arguments: text } }];
      const message = { role: 'assistant', content, ...(!asksAgain && { tool_calls: calls }) };
      return JSON.stringify({ id: 'co_1', message, ...end });
    }
    const event = (type: string, index: number, message: Json) => ({ type, index, delta: { message } });
    return sse(
      [
        { type: 'message-start', id: 'co_1', delta: { message: { role: 'assistant' } } },
        event('content-start', 0, { content: { type: 'thinking', thinking: '' } }),
        event('content-delta', 0, { content: { thinking: THOUGHT } }),
        { type: 'content-end', index: 0 },
        ...(asksAgain
          ? [
              event('content-start', 1, { content: { type: 'text', text: '' } }),
              event('content-delta', 1, { content: { text: '16 degrees' } }),
              { type: 'content-end', index: 1 },
            ]
          : [
              event('tool-call-start', 0, { tool_calls: call }),
              event('tool-call-delta', 0, { tool_calls: { function: { arguments: text } } }),
              { type: 'tool-call-end', index: 0 },
            ]),
        { type: 'message-end', delta: end },
        '[DONE]',
      ],
      true,
    );
  },
};
