import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fiveAccounts, startFiveProviders, TRANSLATED } from '../support/five-providers.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import type { FakeProvider } from '../support/provider.ts';

/*
 * Keys that Open Responses requires of a translated answer, null where there is nothing to say:
 * https://www.openresponses.org/specification. Clients that hold answers against its schema read them without looking.
 */

// biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
type Json = any;

const words = (text: string): string[] => text.trim().split(/\s+/);

const RESPONSE = words(`
  id object created_at completed_at status incomplete_details model previous_response_id instructions output error tools
  tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs temperature
  reasoning usage max_output_tokens max_tool_calls store background service_tier metadata safety_identifier
  prompt_cache_key`);
const ITEMS: Readonly<Record<string, readonly string[]>> = {
  message: words('id type status role content'),
  function_call: words('id type status call_id name arguments'),
  reasoning: words('id type summary'),
};
const PARTS: Readonly<Record<string, readonly string[]>> = {
  output_text: words('type text annotations logprobs'),
  refusal: words('type refusal'),
};
const OF_RESPONSE = words('response');
const OF_ITEM = words('output_index item');
const OF_PART = words('item_id output_index content_index');
const EVENTS: Readonly<Record<string, readonly string[]>> = {
  'response.created': OF_RESPONSE,
  'response.in_progress': OF_RESPONSE,
  'response.completed': OF_RESPONSE,
  'response.output_item.added': OF_ITEM,
  'response.output_item.done': OF_ITEM,
  'response.content_part.added': [...OF_PART, 'part'],
  'response.content_part.done': [...OF_PART, 'part'],
  'response.output_text.delta': [...OF_PART, 'delta', 'logprobs'],
  'response.output_text.done': [...OF_PART, 'text', 'logprobs'],
  'response.function_call_arguments.delta': words('item_id output_index delta'),
  'response.function_call_arguments.done': words('item_id output_index arguments'),
  'response.reasoning_summary_part.added': words('item_id output_index summary_index part'),
  'response.reasoning_summary_part.done': words('item_id output_index summary_index part'),
  'response.reasoning_summary_text.delta': words('item_id output_index summary_index delta'),
  'response.reasoning_summary_text.done': words('item_id output_index summary_index text'),
};

function hasAll(value: Json, keys: readonly string[] | undefined, what: string): void {
  assert.ok(keys, `${what} is not known`);
  const missing = keys.filter((key) => value[key] === undefined);
  assert.deepEqual(missing, [], `${what} has all of its keys`);
}

function checkItem(item: Json): void {
  hasAll(item, ITEMS[item.type], item.type);
  for (const part of item.type === 'message' ? item.content : []) hasAll(part, PARTS[part.type], part.type);
}

function checkResponse(response: Json): void {
  hasAll(response, RESPONSE, 'a response');
  for (const item of response.output) checkItem(item);
  for (const tool of response.tools) hasAll(tool, words('type name description parameters strict'), 'a tool');
  if (response.usage === null) return;
  const { input_tokens_details: input, output_tokens_details: output } = response.usage;
  hasAll(response.usage, words('input_tokens output_tokens total_tokens'), 'a usage');
  assert.deepEqual([typeof input.cached_tokens, typeof output.reasoning_tokens], ['number', 'number']);
}

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startFiveProviders();
  gateway = await startGateway({ manifests: fiveAccounts(provider) });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

async function ask(path: string, body: object): Promise<Response> {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  return fetch(`${gateway.url}/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

const said = (role: string, content: unknown, more: object = {}) => ({ type: 'message', role, content, ...more });
const weather = {
  type: 'function',
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const IMAGE = `data:image/png;base64,${Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).toString('base64')}`;

const REQUESTS = {
  'a text': { input: [said('user', 'Say hello.')] },
  'phases of what the assistant said': {
    input: [
      said('assistant', 'I look.', { phase: 'commentary' }),
      said('assistant', 'Four.', { phase: 'final_answer' }),
      said('user', 'Again.'),
    ],
  },
  'a system message': { input: [said('system', 'Be brief.'), said('user', 'Say hello.')] },
  'a function': { input: [said('user', 'How is it in Bern?')], tools: [weather] },
  'an image': {
    input: [
      said('user', [
        { type: 'input_text', text: 'What is it?' },
        { type: 'input_image', image_url: IMAGE },
      ]),
    ],
  },
};

for (const model of TRANSLATED) {
  describe(`Open Responses over ${model}`, () => {
    for (const [name, request] of Object.entries(REQUESTS)) {
      test(`a request with ${name} gets a response of ${model} with every key that is required, whole and streamed`, async () => {
        const whole = await ask('/responses', { model, ...request });
        assert.equal(whole.status, 200);
        const response = (await whole.json()) as Json;
        checkResponse(response);
        assert.equal(response.status, 'completed');
        const calls = response.output.filter(({ type }: Json) => type === 'function_call');
        assert.equal(calls.length, 'tools' in request ? 1 : 0);

        const streamed = await ask('/responses', { model, ...request, stream: true });
        const blocks = (await streamed.text()).split('\n\n').filter((block) => block !== '');
        for (const [index, block] of blocks.entries()) {
          const [named, data, ...more] = block.split('\n');
          const event = JSON.parse(data!.slice('data: '.length));
          assert.deepEqual([named, more], [`event: ${event.type}`, []]);
          assert.equal(event.sequence_number, index);
          hasAll(event, EVENTS[event.type], event.type);
          if (event.response) checkResponse(event.response);
          if (event.item) checkItem(event.item);
          if (event.part && event.type.includes('content_part')) hasAll(event.part, PARTS[event.part.type], 'a part');
        }
        assert.match(blocks.at(-1)!, /^event: response\.completed\n/);
      });
    }

    test(`a conversation with ${model} is made short, and goes on from what came of it`, async () => {
      const input = [said('user', 'We launch on Tuesday.'), said('assistant', 'Understood.')];
      const compacted = (await (await ask('/responses/compact', { model, input })).json()) as Json;
      assert.equal(compacted.object, 'response.compaction');
      assert.ok(compacted.output.some(({ type }: Json) => type === 'compaction'));
      const next = await ask('/responses', { model, input: [...compacted.output, said('user', 'When?')] });
      checkResponse(await next.json());
    });
  });
}

test('a compaction without a model is refused', async () => {
  assert.equal((await ask('/responses/compact', { input: [said('user', 'Hi')] })).status, 400);
});
