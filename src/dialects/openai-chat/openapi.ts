import type { DialectDocument } from '../dialect-document.ts';
import {
  events,
  freeObject,
  freeObjects,
  jsonBodies,
  oneOf,
  openObject,
  text,
  texts,
} from '../openai-json/openapi-parts.ts';

const number = (minimum: number, maximum: number, description: string) =>
  ({ type: 'number', minimum, maximum, description }) as const;

const message = openObject(['role'], {
  role: { type: 'string', enum: ['system', 'user', 'assistant', 'function', 'tool', 'developer'] },
  content: {
    description: 'Text, or parts: text, image_url, input_audio, file, refusal. May be absent beside tool_calls.',
    oneOf: [{ type: 'string', nullable: true }, freeObjects],
  },
  name: text,
  tool_calls: freeObjects,
  tool_call_id: text,
  refusal: { type: 'string', nullable: true },
  audio: { type: 'object', nullable: true, properties: { id: text } },
  function_call: { ...freeObject, deprecated: true },
});

const request = openObject(['model', 'messages'], {
  model: {
    type: 'string',
    minLength: 1,
    maxLength: 256,
    description: '`account/model`, or a bare id where exactly one account has it. GET /models lists them.',
    example: 'openai-main/gpt-4o',
  },
  messages: { type: 'array', description: 'Conversation history', items: message },
  tools: { type: 'array', description: 'Tool definitions', items: freeObject },
  tool_choice: {
    description: 'Controls tool usage',
    oneOf: [{ type: 'string', enum: ['none', 'auto', 'required'] }, freeObject],
  },
  parallel_tool_calls: { type: 'boolean' },
  temperature: number(0, 2, 'Sampling randomness (0 = deterministic)'),
  top_p: number(0, 1, 'Nucleus sampling'),
  top_k: { type: 'integer', minimum: 1, description: 'For providers that know it' },
  n: { type: 'integer', minimum: 1, default: 1 },
  stream: { type: 'boolean', default: false },
  stream_options: {
    type: 'object',
    nullable: true,
    additionalProperties: true,
    properties: {
      include_usage: { type: 'boolean', description: 'A last chunk with usage and empty choices' },
      include_obfuscation: { type: 'boolean' },
    },
  },
  max_tokens: { type: 'integer', minimum: 1, description: 'Older form of max_completion_tokens' },
  max_completion_tokens: { type: 'integer', minimum: 1, description: 'Reasoning tokens count too' },
  stop: { oneOf: [{ type: 'string', nullable: true }, texts] },
  presence_penalty: number(-2, 2, 'Penalty for tokens that occurred'),
  frequency_penalty: number(-2, 2, 'Penalty by how often a token occurred'),
  logit_bias: { type: 'object', nullable: true, additionalProperties: { type: 'number' } },
  logprobs: { type: 'boolean' },
  top_logprobs: { type: 'integer', minimum: 0, maximum: 20 },
  response_format: {
    ...freeObject,
    description: '`{type: text}`, `{type: json_object}` or `{type: json_schema, json_schema: …}`',
  },
  seed: { type: 'integer', nullable: true },
  reasoning_effort: { type: 'string', description: 'none, minimal, low, medium, high, …: what the model knows' },
  verbosity: { type: 'string', enum: ['low', 'medium', 'high'] },
  modalities: { type: 'array', items: { type: 'string', enum: ['text', 'audio'] } },
  audio: { ...freeObject, description: 'Voice and format of an audio answer' },
  prediction: { ...freeObject, description: 'Text of which much is expected to come back' },
  web_search_options: freeObject,
  service_tier: { type: 'string', nullable: true },
  store: { type: 'boolean', nullable: true },
  metadata: { type: 'object', nullable: true, additionalProperties: text },
  prompt_cache_key: text,
  prompt_cache_retention: text,
  safety_identifier: text,
  user: { type: 'string', description: 'End-user identifier for monitoring' },
  functions: { type: 'array', items: freeObject, deprecated: true },
  function_call: { deprecated: true, oneOf: [text, freeObject] },
});

const chatUsage = openObject([], {
  prompt_tokens: { type: 'integer' },
  completion_tokens: { type: 'integer' },
  total_tokens: { type: 'integer' },
  prompt_tokens_details: {
    type: 'object',
    additionalProperties: true,
    properties: { cached_tokens: { type: 'integer' }, audio_tokens: { type: 'integer' } },
  },
  completion_tokens_details: {
    type: 'object',
    additionalProperties: true,
    properties: { reasoning_tokens: { type: 'integer' }, audio_tokens: { type: 'integer' } },
  },
});

const finishReason = {
  type: 'string',
  nullable: true,
  description:
    '`stop`, `length`, `tool_calls`, `content_filter`, `function_call`; `pause` and words of providers that OpenAI has none for.',
} as const;

const answer = {
  id: text,
  created: { type: 'integer', format: 'unix-timestamp' },
  model: text,
  usage: chatUsage,
  service_tier: { type: 'string', nullable: true },
  system_fingerprint: { type: 'string', nullable: true },
} as const;

const answerMessage = openObject([], {
  role: text,
  content: { type: 'string', nullable: true },
  refusal: { type: 'string', nullable: true },
  tool_calls: freeObjects,
});

const answerOf = (object: string, part: 'message' | 'delta') =>
  openObject([], {
    ...answer,
    object: oneOf(object),
    choices: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          index: { type: 'integer' },
          [part]: answerMessage,
          finish_reason: finishReason,
          logprobs: { type: 'object', nullable: true },
        },
      },
    },
  });

const bodies = jsonBodies('ChatCompletion', {
  request,
  answer: answerOf('chat.completion', 'message'),
  streamed: events(
    'SSE stream when stream=true: one `data: ` event per ChatCompletionChunk, then `data: [DONE]`. After a failure one `data: {"error": …}` event, then the connection is cut without a proper end.',
  ),
});

export const document: DialectDocument = {
  summary: 'Create Chat Completion',
  description:
    'One endpoint for every provider. Where the provider speaks this form, request and answer pass through byte for byte; where it does not, they are translated, and what it cannot express is refused with 400. Parameters that are not listed pass through.',
  operationId: 'createChatCompletion',
  tag: { name: 'Chat', description: 'Chat completion operations for LLM conversation' },
  answered: 'Chat completion result',
  ...bodies,
  // The `data` of one event of a stream.
  schemas: { ...bodies.schemas, ChatCompletionChunk: answerOf('chat.completion.chunk', 'delta') },
};
