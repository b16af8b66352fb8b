import type { DialectDocument } from '../dialect-document.ts';
import {
  DATA_EVENTS,
  freeObject,
  jsonBodies,
  model,
  openObject,
  text,
  texts,
  tokens,
} from '../openai-json/openapi-parts.ts';

const request = openObject(['model', 'prompt'], {
  model,
  prompt: {
    description: 'A text, texts, the tokens of one, or those of several',
    oneOf: [text, texts, tokens, { type: 'array', items: tokens }],
  },
  max_tokens: { type: 'integer', minimum: 0 },
  n: { type: 'integer', minimum: 1, default: 1 },
  best_of: { type: 'integer', minimum: 0 },
  stream: { type: 'boolean', default: false },
  stream_options: {
    type: 'object',
    nullable: true,
    additionalProperties: true,
    properties: { include_usage: { type: 'boolean' } },
  },
  stop: { oneOf: [{ ...text, nullable: true }, texts] },
  temperature: { type: 'number' },
  top_p: { type: 'number' },
  echo: { type: 'boolean' },
  suffix: { type: 'string', nullable: true },
  logprobs: { type: 'integer', nullable: true },
  user: text,
});

const answer = openObject(['id', 'object', 'choices'], {
  id: text,
  object: { type: 'string', enum: ['text_completion'] },
  created: { type: 'integer' },
  model: text,
  choices: {
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: true,
      properties: {
        text,
        index: { type: 'integer' },
        finish_reason: { type: 'string', nullable: true },
        logprobs: { ...freeObject, nullable: true },
      },
    },
  },
  usage: freeObject,
});

export const document: DialectDocument = {
  summary: 'Create Completion',
  description:
    'The older form of a completion. A model whose provider only chats is asked by a chat, where the request is one prompt without `echo`, `suffix`, `best_of` and `logprobs`.',
  operationId: 'createCompletion',
  tag: { name: 'Completions', description: 'The older form of completions' },
  answered: 'The completion',
  ...jsonBodies('Completion', { request, answer, streamed: DATA_EVENTS }),
};
