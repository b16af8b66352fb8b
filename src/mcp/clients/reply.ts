import type { McpOutcome, McpRefusal } from '../../threads/mcp-messages.ts';
import type { CallHolder } from '../servers/served.ts';

/** Where the answer to one HTTP request goes; everything after its end, or after the client left, is a no-op. */
export interface Reply {
  /** The client left. */
  onGone: (() => void) | undefined;
  /** A question that was told on it reaches nobody. */
  onRefused: ((question: string, why: McpRefusal) => void) | undefined;
  readonly over: boolean;
  readonly holder: CallHolder;
  /** Filled while the request is understood. */
  readonly outcome: { -readonly [Key in keyof McpOutcome]: McpOutcome[Key] };
  /** A whole answer; an empty body has no content type. */
  answer(status: number, body: string, headers?: readonly string[]): void;
  /** Begins a stream of events. `resumes`: what it goes on with, as JSON, where guards may have to read it. */
  stream(headers: readonly string[], kind: 'answer' | 'lasting', resumes?: string): void;
  event(json: string, id?: string): void;
  /** An event without data, which tells the id of the stream. */
  prime(id: string): void;
  comment(): void;
  end(): void;
}
