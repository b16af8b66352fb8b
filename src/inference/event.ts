import type { FinishReason } from './finish-reason.ts';
import type { Usage } from './usage.ts';

/**
 * The neutral answer, event by event; a whole answer is the same events in one array. Order: start, then content in
 * the order of the provider, then finish and usage in any order. Argument text of a tool call is passed in the
 * provider's own pieces and bytes.
 */
export type InferenceEvent =
  | { type: 'start'; id?: string; model?: string; created?: number }
  | (ContentEvent & OfChoice)
  | ({ type: 'finish'; reason: FinishReason } & OfChoice)
  | { type: 'usage'; usage: Usage }
  /** The provider failed after its answer began. `status` is the HTTP status its error type stands for. */
  | { type: 'error'; status: number; errorType: string; message: string };

/** Which of several answers (`n`) is meant, from 0; absent: the first. */
interface OfChoice {
  choice?: number;
}

export type ContentEvent =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  /** Closes a reasoning block: the opaque proof that must come back with the next request (see signature.ts). */
  | { type: 'reasoning-signature'; signature: string }
  | { type: 'redacted-reasoning'; data: string }
  | { type: 'refusal'; text: string }
  /** `index` counts tool calls of this choice from 0 and keys the pieces of parallel calls. */
  | { type: 'tool-call'; index: number; id: string; name: string; signature?: string }
  | { type: 'tool-call-arguments'; index: number; text: string }
  | { type: 'image'; mediaType: string; base64: string }
  /** Speech; its pieces make one sound. `mediaType` as the provider says it, with its parameters. */
  | { type: 'audio'; mediaType: string; base64: string }
  /** The vector of the input at `index`: numbers, or base64 of 32-bit floats, lowest byte first. */
  | { type: 'embedding'; index: number; vector: readonly number[] | string }
  /** The document at `index`, with how well it fits; `document`: its text, where it was asked for. */
  | { type: 'rerank-result'; index: number; score: number; document?: string }
  /** A source on the web; offsets count UTF-16 units of the choice's text so far. */
  | { type: 'citation'; url: string; title?: string; start?: number; end?: number }
  /** Log probabilities in OpenAI's form: entries `{token, logprob, bytes, top_logprobs}`. */
  | { type: 'logprobs'; content: readonly unknown[] }
  /** What the provider says beside its answer and OpenAI has no word for, under a documented key of the message. */
  | { type: 'extension'; key: string; value: unknown };

/**
 * Whether an event is content, as the commit point, waits and latencies mean it: text, reasoning, a refusal, an image,
 * audio, or a tool call.
 */
export function bringsContent(event: InferenceEvent): boolean {
  switch (event.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
    case 'tool-call-arguments':
      return event.text !== '';
    case 'tool-call':
    case 'image':
    case 'audio':
    case 'embedding':
    case 'rerank-result':
    case 'redacted-reasoning':
      return true;
    default:
      return false;
  }
}
