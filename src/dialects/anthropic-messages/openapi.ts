import type { DialectDocument } from '../dialect-document.ts';
import { events, freeObject, freeObjects, json, model, text, texts } from '../openai-json/openapi-parts.ts';

const request = {
  type: 'object',
  required: ['model', 'messages'],
  additionalProperties: true,
  properties: {
    model,
    messages: { ...freeObjects, description: 'Turns of user and assistant, with blocks of content' },
    max_tokens: { type: 'integer', minimum: 0 },
    system: { oneOf: [text, freeObjects] },
    stream: { type: 'boolean', default: false },
    tools: freeObjects,
    tool_choice: freeObject,
    thinking: freeObject,
    output_config: freeObject,
    stop_sequences: texts,
    temperature: { type: 'number' },
    top_p: { type: 'number' },
    top_k: { type: 'integer' },
    metadata: freeObject,
  },
} as const;

const tag = { name: 'Messages', description: "Anthropic's Messages" };

/** Fields that are not named here pass through where the form is spoken. */
export const created: DialectDocument = {
  summary: 'Create Message',
  description:
    "Anthropic's Messages to any model: bytes pass where the provider speaks the form, else they are translated both ways. Errors are `{type: error, error: {type, message}, request_id}`.",
  operationId: 'createMessage',
  tag,
  request: json(request),
  answered: 'A message',
  answer: {
    ...json(freeObject),
    ...events('Named events from `message_start` to `message_stop`; `ping` fills silence'),
  },
};

export const counted: DialectDocument = {
  summary: 'Count Message Tokens',
  description:
    'Counted by the provider where it counts, else estimated: then `x-sluice-estimated: input_tokens` says so. Free of charge.',
  operationId: 'countMessageTokens',
  tag,
  request: json(request),
  answered: 'How many tokens the prompt has',
  answer: json({
    type: 'object',
    required: ['input_tokens'],
    properties: { input_tokens: { type: 'integer' } },
  }),
  mayBeEstimate: true,
};
