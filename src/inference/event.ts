import type { FinishReason } from './finish-reason.ts';
import type { Usage } from './usage.ts';

/**
 * The neutral answer, event by event; a whole answer is the same events in one array. Order: start, then content in
 * the order of the provider, then finish and usage in any order. Argument text of a tool call is passed in the
 * provider's own pieces and bytes.
 */
export type InferenceEvent =
  | { type: 'start'; id?: string; model?: string; created?: number }
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  /** Closes a reasoning block: the opaque proof that must come back with the next request. */
  | { type: 'reasoning-signature'; signature: string }
  | { type: 'redacted-reasoning'; data: string }
  | { type: 'refusal'; text: string }
  /** `index` counts tool calls of this answer from 0 and keys the pieces of parallel calls. */
  | { type: 'tool-call'; index: number; id: string; name: string }
  | { type: 'tool-call-arguments'; index: number; text: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'finish'; reason: FinishReason }
  /** The provider failed after its answer began. `status` is the HTTP status its error type stands for. */
  | { type: 'error'; status: number; errorType: string; message: string };

/**
 * Whether an event is content, as the commit point, waits and latencies mean it: text, reasoning, a refusal, or a tool
 * call.
 */
export function bringsContent(event: InferenceEvent): boolean {
  switch (event.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
    case 'tool-call-arguments':
      return event.text !== '';
    case 'tool-call':
    case 'redacted-reasoning':
      return true;
    default:
      return false;
  }
}
