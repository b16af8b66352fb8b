import type { Log } from '../core/log.ts';
import type { Database } from '../store/database.ts';
import { deleteExpiredBodies, insertBodies, type RequestBodiesRow } from '../store/request-bodies.ts';

const EXPIRE_EVERY_MS = 60_000;

/** Keeps bodies, and takes them away when their time is over; nobody sees them from that moment on. */
export class RequestLogStore {
  readonly #database: Database;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#timer = setInterval(() => {
      this.#work = this.#expire().catch((error) =>
        log.warn({ error }, 'bodies whose time is over could not be taken away; they are tried again in a minute'),
      );
    }, EXPIRE_EVERY_MS).unref();
  }

  async keep(rows: readonly RequestBodiesRow[]): Promise<void> {
    await this.#database.write((transaction) => insertBodies(transaction, rows));
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#work;
  }

  async #expire(): Promise<void> {
    while (!this.#stopped && (await deleteExpiredBodies(this.#database, Date.now())) > 0);
  }
}
