import type { DialectDocument } from '../dialect-document.ts';
import { freeObject, jsonBodies, model, openObject, text, texts } from '../openai-json/openapi-parts.ts';

const request = openObject(['input'], {
  model: { ...model, default: 'omni-moderation-latest' },
  input: {
    description: 'A text, texts, or parts of text and of images',
    oneOf: [text, texts, { type: 'array', items: freeObject }],
  },
});

const answer = openObject(['results'], {
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
});

export const document: DialectDocument = {
  summary: 'Create Moderation',
  description: 'Checks whether text or images violate a content policy.',
  operationId: 'createModeration',
  tag: { name: 'Moderations', description: 'Checks of content' },
  answered: 'Moderation result',
  ...jsonBodies('Moderation', { request, answer }),
};
