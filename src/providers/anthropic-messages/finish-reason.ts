import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';

/** https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons */
const UNIFIED: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool-calls'],
  ['refusal', 'content-filter'],
  ['pause_turn', 'pause'],
]);

export function toFinishReason(raw: string): FinishReason {
  return { unified: UNIFIED.get(raw) ?? 'other', raw };
}

/** A whole message and a stream's `message_delta` tell the end in the same keys. */
export function pushFinish(events: InferenceEvent[], source: JsonObject): void {
  const raw = stringOf(source['stop_reason']);
  if (raw === undefined) return;
  const explanation = stringOf(objectOf(source['stop_details'])?.['explanation']);
  if (raw === 'refusal' && explanation) events.push({ type: 'refusal', text: explanation });
  events.push({ type: 'finish', reason: toFinishReason(raw) });
}
