import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (`stopReason`) */
const UNIFIED: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool-calls'],
  ['content_filtered', 'content-filter'],
  ['guardrail_intervened', 'content-filter'],
  ['refusal', 'content-filter'],
  ['pause_turn', 'pause'],
]);

export function toFinishReason(raw: string): FinishReason {
  return { unified: UNIFIED.get(raw) ?? 'other', raw };
}
