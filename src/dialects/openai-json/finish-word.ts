import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';
import type { AnswerContext } from '../dialect.ts';

const WORDS: Record<Exclude<UnifiedFinishReason, 'other'>, string> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
  // Not a word of OpenAI's, but a client must not take a failed answer for a finished one.
  error: 'error',
  // Not OpenAI's either: the model goes on when the conversation is sent back, which no client does after `stop`.
  pause: 'pause',
};
const WORD = /^[a-z0-9_-]{1,64}$/;

/**
 * `finish_reason` of a choice. A reason that OpenAI has no word for keeps the provider's own, so that a client does not
 * take it for a clean end; where that is no plain word it is `other`. A strict answer says `length`: it is not whole.
 */
export function finishWord({ unified, raw }: FinishReason, { strict }: Pick<AnswerContext, 'strict'>): string {
  if (strict && (unified === 'pause' || unified === 'other' || unified === 'error')) return 'length';
  if (unified !== 'other') return WORDS[unified];
  const word = raw?.toLowerCase() ?? '';
  return WORD.test(word) ? word : 'other';
}
