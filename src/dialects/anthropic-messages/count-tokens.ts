import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { Dialect, PeekedRequest, RequestScan } from '../dialect.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { guarded } from './guarded.ts';
import { MessagesScan } from './peek.ts';
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
  translation: { to: ['count-tokens'], toInference, fromInference },
  fromEstimate: counted,
  errorBody,
  errorEvent,
  guarded: { request: guarded.request },
} satisfies Dialect;

class CountScan implements RequestScan {
  readonly #scan = new MessagesScan();

  advance(buffer: Buffer, end: number): void {
    this.#scan.advance(buffer, end);
  }

  /** Nothing is generated and nothing billed, so that nothing is held for it. */
  result(body: Buffer): OrError<PeekedRequest> {
    const peeked = this.#scan.result(body);
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
  return Buffer.from(JSON.stringify({ input_tokens: inputTokens }));
}
