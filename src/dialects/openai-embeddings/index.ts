import { jsonDialect } from '../openai-json/json-dialect.ts';
import { promptText } from './prompt-text.ts';

/** OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings/create */
export const openAiEmbeddings = jsonDialect({
  name: 'openai-embeddings',
  operation: 'embedding',
  patterns: ['/embeddings'],
  required: ['input'],
  promptText,
});
