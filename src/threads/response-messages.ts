import type { KeptChain, KeptResponse } from '../store/responses.ts';

/** What a relay thread asks of kept answers, which only the database's thread sees. */
export type ResponseQuestion =
  | { readonly kind: 'keep'; readonly response: KeptResponse }
  | { readonly kind: 'find'; readonly id: string; readonly owner: string }
  | { readonly kind: 'chain'; readonly id: string; readonly owner: string; readonly maxBytes: number }
  | { readonly kind: 'delete'; readonly id: string; readonly owner: string };

export type ResponseAnswer =
  | { readonly kind: 'response'; readonly response: KeptResponse }
  | { readonly kind: 'chain'; readonly chain: KeptChain }
  | { readonly kind: 'done' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'too-long' }
  /** The database does not answer; it may come back. */
  | { readonly kind: 'away' }
  /** A fault of ours; it stands in the log. */
  | { readonly kind: 'failed' };

/** To be answered with `responses-answer` and its number, to that thread alone. */
export interface ResponseQuestionMessage {
  readonly type: 'responses-ask';
  readonly thread: number;
  readonly number: number;
  readonly question: ResponseQuestion;
}

export interface ResponseAnswerMessage {
  readonly type: 'responses-answer';
  readonly number: number;
  readonly answer: ResponseAnswer;
}
