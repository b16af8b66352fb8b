import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';

/** Anthropic's form as a dialect, as far as passing it through needs: its requests have the keys that a chat has. */
export const messagesDialect: Dialect = {
  ...openAiChat,
  ...anthropicMessages,
  operation: 'messages',
  routes: [{ method: 'POST', pattern: '/messages' }],
};
