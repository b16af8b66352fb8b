import type { Dispatcher, Pool } from 'undici';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** An attempt as the pool sees it. */
export interface Dispatchable extends Waiting, Dispatcher.DispatchHandler {
  /** Its turn has come; made only now, so that nothing of it is held by a line that it has left. */
  dispatchOptions(): Dispatcher.DispatchOptions;
}

/**
 * Connections to one origin with one credential. The line of those that wait is ours, not undici's: what has given up
 * leaves it at once with all it holds, and whoever waits is known to wait and not to connect.
 */
export class OriginPool {
  readonly pool: Pool;
  readonly #mostRunning: number;
  readonly #mostWaiting: number;
  readonly #line = new WaitingLine<Dispatchable>();
  #running = 0;
  #closing = false;

  constructor(pool: Pool, mostRunning: number, mostWaiting: number) {
    this.pool = pool;
    this.#mostRunning = mostRunning;
    this.#mostWaiting = mostWaiting;
  }

  /** Attempts that hold a connection or for which one is being opened. */
  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** False, and nothing taken, where as many wait already as may. */
  enter(attempt: Dispatchable): boolean {
    if (this.#running < this.#mostRunning) {
      this.#dispatch(attempt);
      return true;
    }
    if (this.#line.length >= this.#mostWaiting) return false;
    this.#line.push(attempt);
    return true;
  }

  /** An attempt that was dispatched is over, and undici has let go of it. */
  leave(): void {
    this.#running -= 1;
    const next = this.#line.shift();
    if (next) this.#dispatch(next);
    else this.#closeIfIdle();
  }

  /** It gave up before its turn. */
  leaveLine(attempt: Dispatchable): void {
    this.#line.remove(attempt);
  }

  /** No target uses it any more: it closes when the last attempt is over. */
  close(): void {
    this.#closing = true;
    this.#closeIfIdle();
  }

  #dispatch(attempt: Dispatchable): void {
    this.#running += 1;
    this.pool.dispatch(attempt.dispatchOptions(), attempt);
  }

  #closeIfIdle(): void {
    if (this.#closing && this.#running === 0) this.pool.close(ignore);
  }
}

export function ignore(): void {
  // Closing is best effort: nothing waits for it and nothing is lost when it fails.
}
