import type { Dialect } from '../dialect.ts';
import { answerText } from '../openai-json/answer-text.ts';
import { errorBody, errorEvent } from '../openai-json/error-body.ts';
import { answerForm } from './answer-form.ts';
import { eventWriter } from './event-writer.ts';
import { exercise } from './exercise.ts';
import { followStream } from './follow-stream.ts';
import { fromInference } from './from-inference.ts';
import { guarded } from './guarded.ts';
import { ChatScan } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/** OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat */
export const openAiChat = {
  name: 'openai-chat',
  operation: 'chat',
  routes: [{ method: 'POST', pattern: '/chat/completions' }],
  openapi: async () => (await import('./openapi.ts')).document,
  usageParameter: 'stream_options',
  scan: () => new ChatScan(),
  splice,
  answers: answerForm,
  promptText,
  answerText,
  translation: { to: ['chat', 'messages'], toInference, fromInference, eventWriter },
  followStream,
  cached: {
    leaveOut: ['user', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention'],
    never: { store: 'true' },
    unfinished: ['"content_filter"'],
    turns: 'messages',
  },
  guarded,
  exercise,
  errorBody,
  errorEvent,
} satisfies Dialect;
