import type { EventsPiece, KeptEvents, ResponseKey, ResponseProgress } from '../store/background-responses.ts';
import type { AddedBy, Conversation, ConversationItem, ConversationKey, ItemsQuery } from '../store/conversations.ts';
import type { KeptChain, KeptResponse } from '../store/responses.ts';

export type { EventsPiece, ResponseKey, ResponseProgress };

/** What a relay thread asks of kept answers and conversations, which only the database's thread sees. */
export type ResponseQuestion =
  | { readonly kind: 'keep'; readonly response: KeptResponse }
  | { readonly kind: 'find'; readonly id: string; readonly owner: string }
  | { readonly kind: 'chain'; readonly id: string; readonly owner: string; readonly maxBytes: number }
  | { readonly kind: 'delete'; readonly id: string; readonly owner: string }
  | { readonly kind: 'advance'; readonly progress: ResponseProgress }
  | { readonly kind: 'renew'; readonly keys: readonly ResponseKey[]; readonly leaseUntil: number }
  | { readonly kind: 'cancel'; readonly key: ResponseKey }
  | { readonly kind: 'events'; readonly key: ResponseKey; readonly after: number }
  | ConversationQuestion;

export type ConversationQuestion =
  | { readonly kind: 'converse'; readonly conversation: Conversation; readonly items: readonly ConversationItem[] }
  | { readonly kind: 'conversation'; readonly key: ConversationKey }
  | { readonly kind: 'update-conversation'; readonly key: ConversationKey; readonly metadata: string }
  | { readonly kind: 'delete-conversation'; readonly key: ConversationKey }
  | { readonly kind: 'conversation-chain'; readonly key: ConversationKey; readonly maxBytes: number }
  | {
      readonly kind: 'add-items';
      readonly key: ConversationKey;
      readonly items: readonly ConversationItem[];
      readonly expiresAt: number;
      readonly by: AddedBy | undefined;
    }
  | { readonly kind: 'items'; readonly query: ItemsQuery }
  | { readonly kind: 'item'; readonly key: ConversationKey; readonly itemId: string }
  | { readonly kind: 'delete-item'; readonly key: ConversationKey; readonly itemId: string };

export type ResponseAnswer =
  | { readonly kind: 'response'; readonly response: KeptResponse }
  | { readonly kind: 'chain'; readonly chain: KeptChain }
  | { readonly kind: 'renewed'; readonly keys: readonly ResponseKey[] }
  | { readonly kind: 'events'; readonly events: KeptEvents }
  | { readonly kind: 'conversation'; readonly conversation: Conversation }
  | { readonly kind: 'items'; readonly items: readonly ConversationItem[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'full' }
  | { readonly kind: 'not-ended' }
  | { readonly kind: 'in-conversation' }
  | { readonly kind: 'not-background' }
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
