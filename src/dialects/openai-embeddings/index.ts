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
  required: ['input'],
  more: {
    keys: ['encoding_format'],
    read(scan, body, first) {
      if (scan.starts[first]! < 0) return { encoding: 'float' };
      const word = scan.word(body, first);
      // Other words (`base64_int8`) are for the provider alone.
      return { encoding: word === 'float' || word === 'base64' ? word : undefined };
    },
  },
  vectors,
  promptText: ({ input }) => inputText(input),
  translation: { to: ['embedding'], toInference, fromInference },
});
