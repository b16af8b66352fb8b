import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';

/** https://ai.google.dev/api/generate-content#FinishReason. `STOP` also ends an answer that calls functions. */
const UNIFIED: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ['STOP', 'stop'],
  ['MAX_TOKENS', 'length'],
  ['SAFETY', 'content-filter'],
  ['RECITATION', 'content-filter'],
  ['LANGUAGE', 'content-filter'],
  ['BLOCKLIST', 'content-filter'],
  ['PROHIBITED_CONTENT', 'content-filter'],
  ['SPII', 'content-filter'],
  ['IMAGE_SAFETY', 'content-filter'],
  ['IMAGE_PROHIBITED_CONTENT', 'content-filter'],
  ['IMAGE_RECITATION', 'content-filter'],
  ['MODEL_ARMOR', 'content-filter'],
  // More follows when it is asked again with its token.
  ['CONTINUATION', 'pause'],
]);

export function toFinishReason(raw: string, madeCalls: number): FinishReason {
  const unified = UNIFIED.get(raw) ?? 'other';
  return { unified: unified === 'stop' && madeCalls > 0 ? 'tool-calls' : unified, raw };
}
