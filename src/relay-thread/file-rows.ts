import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { FileFilter, StoredFile } from '../store/files.ts';
import type { FileAnswer, FileAnswerMessage, FileQuestion, FileQuestionMessage } from '../threads/file-messages.ts';
import { DatabaseQuestions } from './database-questions.ts';

export const RETRY_AFTER_MS = 1_000;

export interface FileRowsOptions {
  readonly thread: number;
  send(message: FileQuestionMessage): void;
}

/** Files, asked of the thread that has the database. */
export class FileRows {
  readonly #questions: DatabaseQuestions<FileQuestion, FileAnswer>;

  constructor({ thread, send }: FileRowsOptions) {
    this.#questions = new DatabaseQuestions({
      send: (number, question) => send({ type: 'files-ask', thread, number, question }),
      away: { kind: 'away' },
    });
  }

  /** A row that is written when nobody waits for it any more is deleted again. */
  async insert(file: StoredFile): Promise<GatewayError | undefined> {
    const answer = await this.#questions.ask({ kind: 'insert', file }, ({ kind }) => {
      if (kind === 'done') void this.#questions.ask({ kind: 'delete', id: file.id, owners: [file.owner] });
    });
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  /** Undefined: there is no file `after`. */
  async list(filter: FileFilter): Promise<OrError<readonly StoredFile[] | undefined>> {
    const answer = await this.#questions.ask({ kind: 'list', filter });
    if (answer.kind === 'absent') return undefined;
    return answer.kind === 'files' ? answer.files : errorOf(answer);
  }

  async find(id: string, owners: readonly string[]): Promise<OrError<StoredFile>> {
    const answer = await this.#questions.ask({ kind: 'find', id, owners });
    if (answer.kind !== 'files') return errorOf(answer);
    return answer.files[0] ?? new GatewayError('not_found');
  }

  async delete(id: string, owners: readonly string[]): Promise<GatewayError | undefined> {
    const answer = await this.#questions.ask({ kind: 'delete', id, owners });
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  hear({ number, answer }: FileAnswerMessage): void {
    this.#questions.hear(number, answer);
  }
}

function errorOf({ kind }: FileAnswer): GatewayError {
  if (kind === 'absent') return new GatewayError('not_found');
  if (kind === 'in-use') {
    return new GatewayError('conflict', { detail: 'The file is the input of a batch that has not ended.' });
  }
  if (kind === 'away') return new GatewayError('database_away', { retryAfterMs: RETRY_AFTER_MS });
  return new GatewayError('internal_error', { cause: `files: ${kind}` });
}
