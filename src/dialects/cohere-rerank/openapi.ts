import type { DialectDocument } from '../dialect-document.ts';
import { freeObject, jsonBodies, model, openObject, text, usage } from '../openai-json/openapi-parts.ts';

const request = openObject(['model', 'query', 'documents'], {
  model,
  query: { type: 'string', description: 'Query text for relevance scoring' },
  documents: {
    type: 'array',
    description: 'Documents to rerank: texts, or objects with a `text`',
    items: { oneOf: [text, freeObject] },
  },
  top_n: { type: 'integer', description: 'Number of top results to return' },
  return_documents: { type: 'boolean', default: false },
});

const answer = openObject(['results'], {
  id: text,
  model: text,
  results: {
    type: 'array',
    items: {
      type: 'object',
      required: ['index', 'relevance_score'],
      properties: {
        index: { type: 'integer' },
        relevance_score: { type: 'number' },
        document: { description: 'Where it was asked for, as the provider writes it', oneOf: [text, freeObject] },
      },
    },
  },
  usage,
  meta: freeObject,
});

export const document: DialectDocument = {
  summary: 'Rerank Documents',
  description:
    'Orders documents by how well they fit a query, in the form of Cohere, Jina and Together. `/v2/rerank` is the same.',
  operationId: 'rerankDocuments',
  otherIds: { '/v2/rerank': 'rerankDocumentsV2' },
  tag: { name: 'Rerank', description: 'Documents in the order of how well they fit' },
  answered: 'Results, the best first',
  ...jsonBodies('Rerank', { request, answer }),
};
