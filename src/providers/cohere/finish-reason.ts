import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';

/** https://docs.cohere.com/reference/chat#response.body.finish_reason. `ERROR` and `TIMEOUT` are failures, not ends. */
const UNIFIED: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ['COMPLETE', 'stop'],
  ['STOP_SEQUENCE', 'stop'],
  ['MAX_TOKENS', 'length'],
  ['TOOL_CALL', 'tool-calls'],
  ['ERROR_TOXIC', 'content-filter'],
  ['ERROR_LIMIT', 'length'],
]);
const STATUS_OF_FAILURE: ReadonlyMap<string, number> = new Map([
  ['ERROR', 500],
  ['TIMEOUT', 504],
]);

export function toFinishReason(raw: string): FinishReason {
  return { unified: UNIFIED.get(raw) ?? 'other', raw };
}

/** The status that a finish reason stands for where it is a failure of the provider. */
export function failureStatus(raw: string): number | undefined {
  return STATUS_OF_FAILURE.get(raw);
}
