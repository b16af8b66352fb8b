import type { OrError } from '../../core/exchange.ts';
import type { Dialect } from '../dialect.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { countedTokens, onlyCounted } from '../openai-json/token-count.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { guarded } from './guarded.ts';
import { MessagesScan, type PeekedMessages } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/** How many tokens a message would have: https://platform.claude.com/docs/en/api/messages-count-tokens */
export const anthropicCountTokens = {
  name: 'anthropic-count-tokens',
  operation: 'count-tokens',
  routes: [{ method: 'POST', pattern: '/messages/count_tokens' }],
  openapi: async () => (await import('./openapi.ts')).counted,
  usageParameter: undefined,
  scan: () => new CountScan(),
  splice,
  answers: jsonAnswers(['input_tokens']),
  promptText,
  answerText: () => undefined,
  translation: { to: ['count-tokens'], toInference, fromInference: (events) => countedTokens(events, counted) },
  fromEstimate: counted,
  errorBody,
  errorEvent,
  guarded: { request: guarded.request },
} satisfies Dialect;

class CountScan extends MessagesScan {
  override result(body: Buffer): OrError<PeekedMessages> {
    return onlyCounted(super.result(body));
  }
}

function counted(inputTokens: number): Buffer {
  return Buffer.from(JSON.stringify({ input_tokens: inputTokens }));
}
