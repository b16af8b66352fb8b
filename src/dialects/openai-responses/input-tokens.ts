import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { Dialect } from '../dialect.ts';
import { errorBody } from '../openai-json/error-body.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
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
  translation: { to: ['count-tokens'], toInference, fromInference },
  fromEstimate: counted,
  conversation: { turnItems, continued, references, withItems, onlyReads: true },
  errorBody,
  errorEvent,
  guarded: { request: guarded.request },
} satisfies Dialect;

class CountScan extends ResponsesScan {
  /** Nothing is generated and nothing billed, so that nothing is held for it. */
  override result(body: Buffer): OrError<PeekedResponses> {
    const peeked = super.result(body);
    if (peeked instanceof GatewayError) return peeked;
    return { ...peeked, stream: false, maxOutputTokens: 0, choices: 0, promptBytes: 0, free: true };
  }
}

function fromInference(events: readonly InferenceEvent[]): OrError<Buffer> {
  const told = events.find((event) => event.type === 'usage');
  const tokens = told?.usage.inputTokens;
  return tokens === undefined
    ? new GatewayError('upstream_protocol', { detail: 'Its answer counts nothing.' })
    : counted(tokens);
}

function counted(inputTokens: number): Buffer {
  return Buffer.from(JSON.stringify({ object: 'response.input_tokens', input_tokens: inputTokens }));
}
