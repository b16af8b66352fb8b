import type { Dialect } from '../dialect.ts';
import { errorBody } from '../openai-json/error-body.ts';
import { answerForm } from './answer-form.ts';
import { answerText } from './answer-text.ts';
import { continued, foreground, itemsFault, queued, references, turnItems, withItems } from './conversation.ts';
import { errorEvent, numberedError } from './error-event.ts';
import { eventWriter } from './event-writer.ts';
import { followStream } from './follow-stream.ts';
import { fromInference } from './from-inference.ts';
import { guarded } from './guarded.ts';
import { ResponsesScan, repeated } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/** What Codex says of where a request belongs, and the keys of metadata under which rules and ledger see it. */
const METADATA_HEADERS = { 'session-id': 'session_id', 'thread-id': 'agent_id' };

/** OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses */
export const openAiResponses = {
  name: 'openai-responses',
  operation: 'responses',
  routes: [{ method: 'POST', pattern: '/responses' }],
  openapi: async () => (await import('./openapi.ts')).created,
  // A stream's last event tells it.
  usageParameter: undefined,
  scan: () => new ResponsesScan(),
  splice,
  answers: answerForm,
  promptText,
  answerText,
  translation: { to: ['chat', 'messages'], toInference, repeated, fromInference, eventWriter },
  followStream,
  conversation: {
    turnItems,
    continued,
    references,
    withItems,
    itemsFault,
    background: { foreground, queued, errorEvent: numberedError },
  },
  // What a provider keeps is its caller's, and is asked for by its id.
  cached: {
    leaveOut: ['user', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention', 'client_metadata'],
    unfinished: ['"content_filter"', '"incomplete"', '"failed"', '"cancelled"'],
    turns: 'input',
  },
  metadataHeaders: METADATA_HEADERS,
  guarded,
  errorBody,
  errorEvent,
} satisfies Dialect;
