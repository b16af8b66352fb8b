import type { DialectDocument } from '../dialect-document.ts';
import { jsonBodies, model, openObject, text, tokens, usage } from '../openai-json/openapi-parts.ts';

const request = openObject(['model', 'input'], {
  model,
  input: {
    description: 'Text to embed: a text, the tokens of one, or a list in which each is either',
    oneOf: [text, { type: 'array', items: { oneOf: [text, { type: 'integer', minimum: 0 }, tokens] } }],
  },
  encoding_format: {
    type: 'string',
    nullable: true,
    default: 'float',
    description: '`float` or `base64`; whatever else a provider knows passes',
  },
  dimensions: { type: 'integer', description: 'Embedding vector dimensions (model-specific)' },
  input_type: {
    type: 'string',
    description: 'What the vectors are for: query, document, classification or clustering, or in a provider’s words',
  },
  task_type: { type: 'string', description: 'The same in the words of Gemini and Vertex' },
  user: text,
});

const answer = {
  type: 'object',
  required: ['object', 'data'],
  additionalProperties: true,
  properties: {
    object: { type: 'string', enum: ['list'] },
    data: {
      type: 'array',
      items: {
        type: 'object',
        required: ['object', 'index', 'embedding'],
        properties: {
          object: { type: 'string', enum: ['embedding'] },
          index: { type: 'integer' },
          embedding: {
            description: 'Numbers; or base64 of 32-bit floats, lowest byte first, where that was asked for',
            oneOf: [{ type: 'array', items: { type: 'number' } }, text],
          },
        },
      },
    },
    model: text,
    usage,
  },
} as const;

export const document: DialectDocument = {
  summary: 'Create Embeddings',
  description:
    'Vectors of texts. They are written as `encoding_format` asks, whatever the provider writes; parameters that are not listed pass through.',
  operationId: 'createEmbeddings',
  tag: { name: 'Embeddings', description: 'Vectors of texts' },
  answered: 'Embedding vectors',
  ...jsonBodies('Embedding', { request, answer }),
};
