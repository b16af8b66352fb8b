import { inputText } from '../openai-json/input-text.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';
import { fromInference } from './from-inference.ts';
import { toInference } from './to-inference.ts';
import { vectors } from './vectors.ts';

/** OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings/create */
export const openAiEmbeddings = jsonDialect({
  name: 'openai-embeddings',
  operation: 'embedding',
  patterns: ['/embeddings'],
  openapi: async () => (await import('./openapi.ts')).document,
  required: ['input'],
  more: {
    keys: ['encoding_format'],
    read(scan, body, first) {
      const word = scan.word(body, first);
      // Other words, and Perplexity's default, are for the provider alone: base64 of bytes looks like that of floats.
      return { encoding: word === 'float' || word === 'base64' ? word : undefined };
    },
  },
  vectors,
  promptText: ({ input }) => inputText(input),
  translation: { to: ['embedding'], toInference, fromInference },
});
