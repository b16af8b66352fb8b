import type { RerankRequest } from '../../inference/rerank.ts';
import { jsonBody } from '../base/json-body.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { adapted } from './adapted.ts';
import { eventReader, fromResponse } from './from-chunk.ts';
import { notTranslated } from './not-translated.ts';
import { toError } from './to-error.ts';
import { toRequest } from './to-request.ts';
import { toRerankUsage } from './to-rerank-usage.ts';
import { toResponsesUsage } from './to-responses-usage.ts';
import { toUsage } from './to-usage.ts';

/** Embeddings as OpenAI speaks them: https://platform.openai.com/docs/api-reference/embeddings */
export const openAiEmbeddingsWire: Wire = {
  name: 'openai-embeddings',
  operation: 'embedding',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['openai-beta'],
  path: () => '/embeddings',
  toUsage,
  toError,
};

/** Chat completions as OpenAI speaks them: to a client of the same form bytes pass. */
export const openAiChatWire: Wire = {
  name: 'openai-chat',
  operation: 'chat',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['openai-beta'],
  path: () => '/chat/completions',
  toUsage,
  toError,
  // It knows files as data alone; images it fetches.
  translation: { toRequest, adapted, fromResponse, eventReader, takesBytesAlone: ({ type }) => type === 'file' },
};

/** https://platform.openai.com/docs/api-reference/responses */
export const openAiResponsesWire: Wire = {
  name: 'openai-responses',
  operation: 'responses',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['openai-beta'],
  path: () => '/responses',
  toUsage: toResponsesUsage,
  toError,
};

/** https://platform.openai.com/docs/api-reference/responses/compact */
export const openAiCompactionWire: Wire = {
  ...openAiResponsesWire,
  name: 'openai-compaction',
  operation: 'compaction',
  framing: 'none',
  path: () => '/responses/compact',
};

/** https://platform.openai.com/docs/api-reference/responses/input-tokens. It is free of charge, so it tells no usage. */
export const openAiInputTokensWire: Wire = {
  ...openAiResponsesWire,
  name: 'openai-input-tokens',
  operation: 'count-tokens',
  framing: 'none',
  path: () => '/responses/input_tokens',
  toUsage: () => undefined,
};

/** The older completions: https://platform.openai.com/docs/api-reference/completions */
export const openAiCompletionsWire: Wire = {
  ...openAiEmbeddingsWire,
  name: 'openai-completions',
  operation: 'completion',
  framing: 'sse',
  path: () => '/completions',
};

/** https://platform.openai.com/docs/api-reference/moderations */
export const openAiModerationsWire: Wire = {
  ...openAiEmbeddingsWire,
  name: 'openai-moderations',
  operation: 'moderation',
  path: () => '/moderations',
};

/** Rerank in Cohere's form, which many hosts serve beside OpenAI's: https://docs.cohere.com/reference/rerank */
export const cohereRerankWire: Wire = {
  ...openAiEmbeddingsWire,
  name: 'cohere-rerank',
  operation: 'rerank',
  forwards: [],
  path: () => '/rerank',
  toUsage: toRerankUsage,
};

/**
 * The same of those who take texts alone: https://docs.cohere.com/reference/rerank and
 * https://github.com/michaelfeil/infinity. Documents that are objects go as their `text`.
 */
export const textRerankWire: Wire = {
  ...cohereRerankWire,
  name: 'cohere-rerank-texts',
  envelope: { form: cohereRerankWire.name },
  textDocuments: true,
  translation: { toRequest: toTextRerank, fromResponse: notTranslated },
};

function toTextRerank({ model, query, documents, maxResults, returnDocuments, extra }: RerankRequest): MadeRequest {
  const body = { model, query, documents, top_n: maxResults, return_documents: returnDocuments || undefined, ...extra };
  return { body: jsonBody(body), headers: [] };
}
