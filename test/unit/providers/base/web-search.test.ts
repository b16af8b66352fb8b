import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { openAiResponses } from '../../../../src/dialects/openai-responses/index.ts';
import type { InferenceRequest } from '../../../../src/inference/request.ts';
import { toRequest as toGemini } from '../../../../src/providers/gemini-generate-content/to-request.ts';
import { toRequest as toChat } from '../../../../src/providers/openai-compatible/to-request.ts';

type ToRequest = (request: InferenceRequest) => ReturnType<typeof toChat>;

function sent(tools: readonly object[], model: string, toRequest: ToRequest) {
  const body = Buffer.from(JSON.stringify({ model, input: 'What is new?', tools }));
  const request = openAiResponses.translation.toInference(body, model);
  const made = request instanceof GatewayError ? request : toRequest(request);
  if (made instanceof GatewayError) return [made.code, made.context.param];
  assert.ok(Buffer.isBuffer(made.body));
  return JSON.parse(made.body.toString());
}

const user_location = { type: 'approximate', country: 'CH', city: 'Bern' };

test('a web search of OpenAI is a search of Google at Gemini, and code runs there where it may run at OpenAI', () => {
  const tools = [{ type: 'web_search', user_location }];
  assert.deepEqual(sent(tools, 'gemini-2.5-flash', toGemini).tools, [{ googleSearch: {} }]);
  const code = [{ type: 'code_interpreter', container: { type: 'auto' } }];
  assert.deepEqual(sent(code, 'gemini-2.5-flash', toGemini).tools, [{ codeExecution: {} }]);
});

test('a web search is asked of models that search in a chat by their own options, and refused by name at any other', () => {
  const tools = [{ type: 'web_search_preview', user_location, search_context_size: 'low' }];
  assert.deepEqual(sent(tools, 'gpt-4o-search-preview', toChat).web_search_options, {
    search_context_size: 'low',
    user_location: { type: 'approximate', approximate: { country: 'CH', city: 'Bern' } },
  });
  assert.deepEqual(sent(tools, 'gpt-4o', toChat), ['unsupported_parameter', 'tools[0].type']);
  const both = [...tools, { type: 'file_search', vector_store_ids: [] }];
  assert.deepEqual(sent(both, 'gpt-4o-search-preview', toChat), ['unsupported_parameter', 'tools[1].type']);
});

test('a search that is bound to domains is refused by name where its provider would search everywhere', () => {
  const tools = [{ type: 'web_search', filters: { allowed_domains: ['example.com'] } }];
  assert.deepEqual(sent(tools, 'gemini-2.5-flash', toGemini), ['unsupported_parameter', 'tools[0]']);
  assert.deepEqual(sent(tools, 'gpt-5-search-api', toChat), ['unsupported_parameter', 'tools[0]']);
});
