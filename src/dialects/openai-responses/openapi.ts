import type { DialectDocument } from '../dialect-document.ts';
import { DATA_EVENTS, freeObject, freeObjects, json, model, named, text } from '../openai-json/openapi-parts.ts';

const request = {
  type: 'object',
  required: ['model'],
  additionalProperties: true,
  properties: {
    model,
    input: {
      description: 'A text, or items: messages, calls and their results, reasoning',
      oneOf: [text, freeObjects],
    },
    instructions: { type: 'string', nullable: true },
    stream: { type: 'boolean', nullable: true },
    max_output_tokens: { type: 'integer', minimum: 0, nullable: true },
    tools: freeObjects,
    tool_choice: { oneOf: [text, freeObject] },
    parallel_tool_calls: { type: 'boolean', nullable: true },
    reasoning: { type: 'object', nullable: true, additionalProperties: true },
    text: { type: 'object', additionalProperties: true, description: '`format`, `verbosity`' },
    include: { type: 'array', items: text, nullable: true },
    store: { type: 'boolean', nullable: true },
    previous_response_id: { type: 'string', nullable: true },
    conversation: { description: 'An id, or an object with it' },
    background: { type: 'boolean', nullable: true },
    temperature: { type: 'number', nullable: true },
    top_p: { type: 'number', nullable: true },
    metadata: { type: 'object', nullable: true, additionalProperties: text },
  },
} as const;

const answer = {
  type: 'object',
  required: ['id', 'object', 'output'],
  additionalProperties: true,
  properties: {
    id: text,
    object: { type: 'string', enum: ['response'] },
    created_at: { type: 'number' },
    status: {
      type: 'string',
      enum: ['completed', 'failed', 'in_progress', 'cancelled', 'queued', 'incomplete'],
    },
    model: text,
    output: freeObjects,
    usage: { type: 'object', nullable: true, additionalProperties: true },
  },
} as const;

const inputTokens = {
  type: 'object',
  required: ['object', 'input_tokens'],
  properties: { object: { type: 'string', enum: ['response.input_tokens'] }, input_tokens: { type: 'integer' } },
} as const;

const compaction = {
  type: 'object',
  required: ['id', 'object', 'output'],
  additionalProperties: true,
  properties: {
    id: { type: 'string' },
    object: { type: 'string', enum: ['response.compaction'] },
    created_at: { type: 'integer' },
    output: freeObjects,
    usage: { type: 'object', nullable: true, additionalProperties: true },
  },
} as const;

const tag = { name: 'Responses', description: "OpenAI's Responses" };

export const created: DialectDocument = {
  summary: 'Create Response',
  description:
    "OpenAI's Responses, to every model. Where the provider speaks this form, request and answer pass through byte for byte; elsewhere it is asked in its own form, and what it cannot express is refused with 400.",
  operationId: 'createResponse',
  tag,
  request: json(named('ResponseRequest')),
  answered: 'The response',
  answer: { ...json(named('Response')), ...DATA_EVENTS },
  schemas: { ResponseRequest: request, Response: answer },
};

export const counted: DialectDocument = {
  summary: 'Count Response Tokens',
  description:
    'How many tokens a request for a response would have. Counted by the provider where it counts, else estimated: then `x-sluice-estimated: input_tokens` says so. Free of charge.',
  operationId: 'countResponseTokens',
  tag,
  request: json(named('ResponseRequest')),
  answered: 'The count',
  answer: json(named('InputTokens')),
  mayBeEstimate: true,
  schemas: { ResponseRequest: request, InputTokens: inputTokens },
};

export const compacted: DialectDocument = {
  summary: 'Compact Response',
  description:
    'Makes a conversation short: its user messages and one `compaction` item. A provider without such an endpoint is asked for a summary.',
  operationId: 'compactResponse',
  tag,
  request: json(named('ResponseRequest')),
  answered: 'The items that the conversation goes on from',
  answer: json(named('Compaction')),
  schemas: { ResponseRequest: request, Compaction: compaction },
};
