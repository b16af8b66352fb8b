import type { FileFilter, StoredFile } from '../store/files.ts';

/** What a relay thread asks of the rows of files, which only the database's thread sees. */
export type FileQuestion =
  | { readonly kind: 'insert'; readonly file: StoredFile }
  | { readonly kind: 'list'; readonly filter: FileFilter }
  | { readonly kind: 'find'; readonly id: string; readonly owners: readonly string[] }
  | { readonly kind: 'delete'; readonly id: string; readonly owners: readonly string[] };

/** `files`: those that were found, none or one for `find`. `absent`: there is nothing of that name. */
export type FileAnswer =
  | { readonly kind: 'files'; readonly files: readonly StoredFile[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'absent' }
  /** A batch that has not ended reads it. */
  | { readonly kind: 'in-use' }
  /** The database does not answer; it may come back. */
  | { readonly kind: 'away' }
  /** A fault of ours; it stands in the log. */
  | { readonly kind: 'failed' };

/** To be answered with `files-answer` and its number, to that thread alone. */
export interface FileQuestionMessage {
  readonly type: 'files-ask';
  readonly thread: number;
  readonly number: number;
  readonly question: FileQuestion;
}

export interface FileAnswerMessage {
  readonly type: 'files-answer';
  readonly number: number;
  readonly answer: FileAnswer;
}
