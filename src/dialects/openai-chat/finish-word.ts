import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';

const WORDS: Record<UnifiedFinishReason, string> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
  // Not a word of OpenAI's, but a client must not take a failed answer for a finished one.
  error: 'error',
  other: 'stop',
};

/** `finish_reason` of a choice. */
export function finishWord(reason: FinishReason): string {
  return WORDS[reason.unified];
}
