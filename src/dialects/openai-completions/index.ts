import { objectOf } from '../../codec/json-value.ts';
import type { Dialect } from '../dialect.ts';
import { answerText } from '../openai-json/answer-text.ts';
import { beginning, end, whole } from '../openai-json/choice-facts.ts';
import { editedBody } from '../openai-json/edited-body.ts';
import { errorBody, errorEvent } from '../openai-json/error-body.ts';
import { inputText } from '../openai-json/input-text.ts';
import { streamedEdits } from '../openai-json/streamed-edits.ts';
import { eventWriter } from './event-writer.ts';
import { fromInference } from './from-inference.ts';
import { guarded } from './guarded.ts';
import { CompletionScan, type PeekedCompletion } from './peek.ts';
import { completionReader } from './stream-reader.ts';
import { toEvents } from './to-events.ts';
import { toInference } from './to-inference.ts';
import { toWhole } from './to-whole.ts';

/** OpenAI's older completions: https://platform.openai.com/docs/api-reference/completions */
export const openAiCompletions = {
  name: 'openai-completions',
  operation: 'completion',
  routes: [{ method: 'POST', pattern: '/completions' }],
  openapi: async () => (await import('./openapi.ts')).document,
  usageParameter: 'stream_options',
  scan: () => new CompletionScan(),
  splice: (body, peeked: PeekedCompletion, asked) => editedBody(body, streamedEdits(body, peeked, asked)),
  answers: {
    stream: completionReader,
    whole,
    beginning,
    end,
    toEvents,
    toWhole,
  },
  promptText: (body) => inputText(objectOf(body)?.['prompt']),
  answerText,
  translation: { to: ['completion', 'chat', 'messages'], toInference, fromInference, eventWriter },
  cached: { leaveOut: ['user'], unfinished: ['"content_filter"'], turns: 'prompt' },
  guarded,
  errorBody,
  errorEvent,
} satisfies Dialect;
