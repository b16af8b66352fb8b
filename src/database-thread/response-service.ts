import type { Log } from '../core/log.ts';
import type { Database } from '../store/database.ts';
import { deleteExpiredResponses, deleteResponse, findChain, findResponse, insertResponse } from '../store/responses.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import type { ResponseAnswer, ResponseQuestion } from '../threads/response-messages.ts';

/** How often answers are removed that have expired; nobody sees them from the moment they have. */
const EXPIRE_EVERY_MS = 60_000;

/** Answers what relay threads ask of answers that are kept, and removes those that have expired. */
export class ResponseService {
  readonly #database: Database;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> = Promise.resolve();

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
    this.#timer = setInterval(() => {
      this.#work = deleteExpiredResponses(database, Date.now()).catch((error) =>
        log.warn({ error }, 'answers that have expired could not be removed'),
      );
    }, EXPIRE_EVERY_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  /** Never throws. */
  async answer(question: ResponseQuestion): Promise<ResponseAnswer> {
    try {
      return await this.#ask(question);
    } catch (error) {
      if (error instanceof DatabaseAway) return { kind: 'away' };
      this.#log.error({ error, question: question.kind }, 'kept answers could not be asked');
      return { kind: 'failed' };
    }
  }

  async #ask(question: ResponseQuestion): Promise<ResponseAnswer> {
    const database = this.#database;
    const now = Date.now();
    switch (question.kind) {
      case 'keep':
        await insertResponse(database, question.response);
        return { kind: 'done' };
      case 'find': {
        const response = await findResponse(database, question.id, question.owner, now);
        return response === undefined ? { kind: 'absent' } : { kind: 'response', response };
      }
      case 'chain': {
        const chain = await findChain(database, question.id, question.owner, now, question.maxBytes);
        if (chain === 'too-long') return { kind: 'too-long' };
        return chain === undefined ? { kind: 'absent' } : { kind: 'chain', chain };
      }
      case 'delete':
        return { kind: (await deleteResponse(database, question.id, question.owner)) ? 'done' : 'absent' };
    }
  }
}
