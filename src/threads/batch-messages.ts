import type { AdvancedPieces, PieceProgress } from '../store/batch-pieces.ts';
import type { BatchFilter, StoredBatch } from '../store/batches.ts';
import type { KeptProviderBatch } from '../store/provider-batches.ts';

/** A batch as it is asked for; the database's thread says of which gateway it is. */
export type NewBatch = Omit<StoredBatch, 'place'>;

/** What a relay thread asks of batches, which only the database's thread sees. */
export type BatchQuestion =
  | { readonly kind: 'create'; readonly batch: NewBatch; readonly owners: readonly string[] }
  | { readonly kind: 'list'; readonly filter: BatchFilter }
  | { readonly kind: 'find'; readonly id: string; readonly owners: readonly string[] }
  | { readonly kind: 'cancel'; readonly id: string; readonly owners: readonly string[] }
  /** Providers run these batches. */
  | { readonly kind: 'provider-keep'; readonly batch: KeptProviderBatch }
  | { readonly kind: 'provider-find'; readonly account: string; readonly id: string }
  | { readonly kind: 'begin-charge'; readonly account: string; readonly id: string }
  | { readonly kind: 'end-charge'; readonly account: string; readonly id: string; readonly isCharged: boolean }
  /** What a thread did of its pieces; `claims`: and one more to run. */
  | { readonly kind: 'advance'; readonly progresses: readonly PieceProgress[]; readonly claims: boolean };

export type BatchAnswer =
  /** One, or none for `list`. */
  | { readonly kind: 'batches'; readonly batches: readonly StoredBatch[] }
  | { readonly kind: 'absent' }
  /** `create` says why its input is none; `cancel`, that it has ended. */
  | { readonly kind: 'unfit'; readonly reason: string }
  | { readonly kind: 'provider-batch'; readonly batch: KeptProviderBatch | undefined }
  /** Whether whoever asks is to charge it. */
  | { readonly kind: 'charge'; readonly isYours: boolean }
  | { readonly kind: 'done' }
  | { readonly kind: 'advanced'; readonly advanced: AdvancedPieces }
  /** The database does not answer; it may come back. */
  | { readonly kind: 'away' }
  /** A fault of ours; it stands in the log. */
  | { readonly kind: 'failed' };

/** To be answered with `batches-answer` and its number, to that thread alone. */
export interface BatchQuestionMessage {
  readonly type: 'batches-ask';
  readonly thread: number;
  readonly number: number;
  readonly question: BatchQuestion;
}

export interface BatchAnswerMessage {
  readonly type: 'batches-answer';
  readonly number: number;
  readonly answer: BatchAnswer;
}

/** Every relay thread hears that there are lines that nobody runs. */
export interface BatchWorkMessage {
  readonly type: 'batch-work';
}

/** Buffers of a question, which are handed on and not copied from thread to thread. */
export function buffersOf(question: BatchQuestion): ArrayBuffer[] {
  if (question.kind !== 'advance') return [];
  return question.progresses.flatMap(({ results }) =>
    results === undefined ? [] : [results.bytes.buffer, results.index.buffer],
  );
}
