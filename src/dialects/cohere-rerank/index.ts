import { isArray, isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { PromptText } from '../../inference/sampled-text.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';
import { fromInference } from './from-inference.ts';
import { toInference } from './to-inference.ts';

/** Behind `model` and `query`. */
const DOCUMENTS = 2;
const OPEN_BRACE = 0x7b;

/**
 * Rerank as Cohere, Jina, Together and those who serve open models speak it; Cohere's versions differ in nothing that is
 * read here. https://docs.cohere.com/reference/rerank
 */
export const cohereRerank = jsonDialect({
  name: 'cohere-rerank',
  operation: 'rerank',
  patterns: ['/rerank', '/v2/rerank'],
  openapi: async () => (await import('./openapi.ts')).document,
  required: ['query', 'documents'],
  more: {
    keys: ['top_n'],
    read(scan, body, first) {
      const maxResults = scan.count(body, first);
      if (maxResults instanceof GatewayError) return maxResults;
      // A text may hold a brace as well: then nothing is lost by translating it.
      const brace = body.indexOf(OPEN_BRACE, scan.starts[DOCUMENTS]);
      return { maxResults, objectDocuments: brace >= 0 && brace < scan.ends[DOCUMENTS]! };
    },
  },
  // Cohere counts its search units there.
  answerKeys: ['meta'],
  promptText,
  translation: { to: ['rerank'], toInference, fromInference },
});

/** The query is read with each of the documents. */
function promptText({ query, documents }: { readonly query?: unknown; readonly documents?: unknown }): PromptText {
  const asked = typeof query === 'string' ? query : '';
  const texts = (isArray(documents) ? documents : []).map((each) => {
    const text = isObject(each) ? each['text'] : each;
    return typeof text === 'string' ? `${asked}\n${text}` : asked;
  });
  return { text: texts.join('\n'), extraTokens: 0, scale: 1 };
}
