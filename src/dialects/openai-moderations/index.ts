import { inputText } from '../openai-json/input-text.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';

/** OpenAI's moderations: https://platform.openai.com/docs/api-reference/moderations/create */
export const openAiModerations = jsonDialect({
  name: 'openai-moderations',
  operation: 'moderation',
  patterns: ['/moderations'],
  openapi: async () => (await import('./openapi.ts')).document,
  required: ['input'],
  // As OpenAI does.
  defaultModel: 'omni-moderation-latest',
  promptText: ({ input }) => inputText(input),
});
