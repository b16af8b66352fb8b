import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';
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

/** Chat completions as OpenAI speaks them: what the client's dialect speaks too, so there is nothing to translate. */
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
};
