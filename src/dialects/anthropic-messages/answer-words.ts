import type { ContentEvent } from '../../inference/event.ts';
import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';
import type { Usage } from '../../inference/usage.ts';

const WORDS: Readonly<Record<Exclude<UnifiedFinishReason, 'other' | 'error'>, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'content-filter': 'refusal',
  'tool-calls': 'tool_use',
  pause: 'pause_turn',
};
/** Two words of this form stand for one neutral reason: what the provider said itself decides. */
const OWN_WORDS: ReadonlySet<string> = new Set(['stop_sequence', 'model_context_window_exceeded']);
const WORD = /^[a-z0-9_-]{1,64}$/;

/**
 * `stop_reason` of a message: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons. A reason that
 * has no word here keeps the provider's own, so that a client does not take it for a clean end. Undefined: none was told.
 */
export function stopReason(reason: FinishReason | undefined, hasCalls: boolean): string {
  const { unified, raw } = reason ?? { unified: 'stop', raw: undefined };
  const word = raw?.toLowerCase() ?? '';
  // Some say that they stopped, and mean for the calls: an agent would take it for the end.
  if (unified === 'stop' && hasCalls) return WORDS['tool-calls'];
  if (OWN_WORDS.has(word)) return word;
  if (unified !== 'other' && unified !== 'error') return WORDS[unified];
  return WORD.test(word) ? word : 'other';
}

/** `input_tokens` are what is left beside the cache; ours hold all of it. What nobody counted is 0: the form has no word. */
export function messageUsage(usage: Usage): object {
  const {
    inputTokens = 0,
    cacheCreationInputTokens: created,
    cacheCreation1hInputTokens: hour,
    outputTokens = 0,
  } = usage;
  // Azure's Grok counts more from its cache than the prompt has.
  const read = Math.min(usage.cacheReadInputTokens ?? 0, inputTokens);
  return {
    input_tokens: Math.max(0, inputTokens - read - (created ?? 0)),
    cache_creation_input_tokens: created ?? 0,
    cache_read_input_tokens: read,
    ...(hour !== undefined && {
      cache_creation: { ephemeral_5m_input_tokens: (created ?? hour) - hour, ephemeral_1h_input_tokens: hour },
    }),
    output_tokens: outputTokens,
  };
}

/** What stands in a text for content that this form has no block for; undefined: nothing that a reader would miss. */
export function standIn(event: ContentEvent): string | undefined {
  if (event.type !== 'image') return undefined;
  return `[An image (${event.mediaType}), which answers of this form cannot hold.]`;
}
