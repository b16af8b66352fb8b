import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { FileFilter, StoredFile } from '../store/files.ts';
import type { FileAnswer, FileAnswerMessage, FileQuestion, FileQuestionMessage } from '../threads/file-messages.ts';

/** Questions of one thread that wait for their answers; further ones are refused. */
const MAX_WAITING = 256;
/** Behind it the database counts as away. */
const ANSWER_MS = 5_000;
const RETRY_AFTER_MS = 1_000;

export interface FileRowsOptions {
  readonly thread: number;
  send(message: FileQuestionMessage): void;
}

interface Waiting {
  resolve(answer: FileAnswer): void;
  /** What is asked for where the answer `done` comes too late. */
  readonly undo: FileQuestion | undefined;
  isLate: boolean;
}

/** What is known of files, asked of the thread that has the database: bounded in number and time. */
export class FileRows {
  readonly #options: FileRowsOptions;
  readonly #waiting = new Map<number, Waiting>();
  /** A thread that follows a dead one must not take that one's answers for its own. */
  #number = Date.now() * 1_000;

  constructor(options: FileRowsOptions) {
    this.#options = options;
  }

  async insert(file: StoredFile): Promise<GatewayError | undefined> {
    const undo: FileQuestion = { kind: 'delete', id: file.id, owners: [file.owner] };
    const answer = await this.#ask({ kind: 'insert', file }, undo);
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  /** Undefined: there is no file `after`. */
  async list(filter: FileFilter): Promise<OrError<readonly StoredFile[] | undefined>> {
    const answer = await this.#ask({ kind: 'list', filter });
    if (answer.kind === 'absent') return undefined;
    return answer.kind === 'files' ? answer.files : errorOf(answer);
  }

  async find(id: string, owners: readonly string[]): Promise<OrError<StoredFile>> {
    const answer = await this.#ask({ kind: 'find', id, owners });
    if (answer.kind !== 'files') return errorOf(answer);
    return answer.files[0] ?? new GatewayError('not_found');
  }

  async delete(id: string, owners: readonly string[]): Promise<GatewayError | undefined> {
    const answer = await this.#ask({ kind: 'delete', id, owners });
    return answer.kind === 'done' ? undefined : errorOf(answer);
  }

  hear({ number, answer }: FileAnswerMessage): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (waiting?.isLate && answer.kind === 'done' && waiting.undo) void this.#ask(waiting.undo);
    waiting?.resolve(answer);
  }

  #ask(question: FileQuestion, undo?: FileQuestion): Promise<FileAnswer> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.resolve({ kind: 'away' });
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const waiting: Waiting = { resolve, undo, isLate: false };
      const timer = setTimeout(() => {
        waiting.isLate = true;
        resolve({ kind: 'away' });
      }, ANSWER_MS);
      waiting.resolve = (answer) => {
        clearTimeout(timer);
        resolve(answer);
      };
      this.#waiting.set(number, waiting);
      this.#options.send({ type: 'files-ask', thread: this.#options.thread, number, question });
    });
  }
}

function errorOf({ kind }: FileAnswer): GatewayError {
  if (kind === 'absent') return new GatewayError('not_found');
  if (kind === 'away') return new GatewayError('database_away', { retryAfterMs: RETRY_AFTER_MS });
  return new GatewayError('internal_error', { cause: `files: ${kind}` });
}
