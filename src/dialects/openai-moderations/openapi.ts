import type { DialectDocument } from '../dialect-document.ts';
import { freeObject, json, model, named, text, texts } from '../openai-json/openapi-parts.ts';

const request = {
  type: 'object',
  required: ['input'],
  additionalProperties: true,
  properties: {
    model: { ...model, default: 'omni-moderation-latest' },
    input: {
      description: 'A text, texts, or parts of text and of images',
      oneOf: [text, texts, { type: 'array', items: freeObject }],
    },
  },
} as const;

const answer = {
  type: 'object',
  required: ['results'],
  additionalProperties: true,
  properties: {
    id: text,
    model: text,
    results: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: true,
        properties: { flagged: { type: 'boolean' }, categories: freeObject, category_scores: freeObject },
      },
    },
  },
} as const;

export const document: DialectDocument = {
  summary: 'Create Moderation',
  description: 'Checks whether text or images violate a content policy.',
  operationId: 'createModeration',
  tag: { name: 'Moderations', description: 'Checks of content' },
  request: json(named('ModerationRequest')),
  answered: 'Moderation result',
  answer: json(named('ModerationResponse')),
  schemas: { ModerationRequest: request, ModerationResponse: answer },
};
