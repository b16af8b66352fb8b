import type { OrError } from '../../core/exchange.ts';
import type { Dialect } from '../dialect.ts';
import { errorBody } from '../openai-json/error-body.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { countedTokens, onlyCounted } from '../openai-json/token-count.ts';
import { continued, references, turnItems, withItems } from './conversation.ts';
import { errorEvent } from './error-event.ts';
import { guarded } from './guarded.ts';
import { type PeekedResponses, ResponsesScan } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/** How many tokens a request would have: https://platform.openai.com/docs/api-reference/responses/input-tokens */
export const openAiInputTokens = {
  name: 'openai-input-tokens',
  operation: 'count-tokens',
  routes: [{ method: 'POST', pattern: '/responses/input_tokens' }],
  openapi: async () => (await import('./openapi.ts')).counted,
  usageParameter: undefined,
  scan: () => new CountScan(),
  splice,
  answers: jsonAnswers(['input_tokens']),
  promptText,
  answerText: () => undefined,
  translation: { to: ['count-tokens'], toInference, fromInference: (events) => countedTokens(events, counted) },
  fromEstimate: counted,
  conversation: { turnItems, continued, references, withItems, onlyReads: true },
  errorBody,
  errorEvent,
  guarded: { request: guarded.request },
} satisfies Dialect;

class CountScan extends ResponsesScan {
  override result(body: Buffer): OrError<PeekedResponses> {
    return onlyCounted(super.result(body));
  }
}

function counted(inputTokens: number): Buffer {
  return Buffer.from(JSON.stringify({ object: 'response.input_tokens', input_tokens: inputTokens }));
}
