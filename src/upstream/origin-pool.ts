import type { Client, Dispatcher } from 'undici';
import { type ConnectionKeeper, OriginConnection } from './origin-connection.ts';
import type { UnaskedContinue } from './unasked-continue.ts';
import { errors } from './undici-client.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** An attempt as the pool sees it. */
export interface Dispatchable extends Waiting, Dispatcher.DispatchHandler {
  /**
   * Its turn has come, on this connection, which it gives back once; made only now, so that nothing of it is held by a
   * line that it has left.
   */
  dispatchOptions(connection: OriginConnection): Dispatcher.DispatchOptions;
  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void;
}

/**
 * Connections to one origin with one credential. Which of them serves is chosen here: undici's own pool looks through
 * all that are busy, for each request. The line of those that wait is ours too: what has given up leaves it at once with
 * all it holds, and whoever waits is known to wait and not to connect.
 */
export class OriginPool implements ConnectionKeeper {
  /** Connections open now. */
  open = 0;
  readonly #makeClient: (heads: UnaskedContinue) => Client;
  readonly #most: number;
  readonly #mostWaiting: number;
  /** All, idle ones and those being opened too. */
  readonly #connections: OriginConnection[] = [];
  /** The one used last is used next: its memory is warm, and those nobody needs fall idle until undici closes them. */
  readonly #idle = new WaitingLine<OriginConnection>();
  /**
   * Their answers ended in this turn of the loop. They are given out in the next: undici tells the end before its own
   * books are closed, and what the provider does right behind its answer (it closes without having said so, it sends
   * what nobody asked for) is then seen before anything more is written.
   */
  #resting: OriginConnection[] = [];
  readonly #line = new WaitingLine<Dispatchable>();
  #closing = false;

  constructor(makeClient: (heads: UnaskedContinue) => Client, most: number, mostWaiting: number) {
    this.#makeClient = makeClient;
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Connections that an attempt holds, or that are being opened for one. */
  get running(): number {
    return this.#connections.length - this.#idle.length - this.#resting.length;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** False, and nothing taken, where as many wait already as may. */
  enter(attempt: Dispatchable): boolean {
    // To wait for the next turn is less than to connect.
    const servedNextTurn = this.#resting.length;
    const connection = this.#idle.pop() ?? (this.#line.length < servedNextTurn ? undefined : this.#another());
    if (connection) this.#dispatch(connection, attempt);
    else if (this.#line.length >= this.#mostWaiting + servedNextTurn) return false;
    else this.#line.push(attempt);
    return true;
  }

  /** It gave up before its turn. */
  leaveLine(attempt: Dispatchable): void {
    this.#line.remove(attempt);
  }

  /** Its answer ended well, or its attempt was refused before undici took it. */
  free(connection: OriginConnection): void {
    if (this.#resting.push(connection) === 1) setImmediate(this.#nextTurn);
  }

  /** Its attempt failed; whatever undici still holds of it goes in the next turn. */
  broken(connection: OriginConnection): void {
    setImmediate(() => connection.destroy());
    this.#remove(connection);
  }

  /** It is about to be cut, or nobody needs it. */
  drop(connection: OriginConnection): void {
    connection.close();
    this.#remove(connection);
  }

  connected(): void {
    this.open += 1;
  }

  disconnected(connection: OriginConnection): void {
    this.open -= 1;
    // One that an attempt holds is opened again by undici, or fails it.
    if (!connection.inLine) return;
    this.#idle.remove(connection);
    this.drop(connection);
  }

  /** No target uses it any more: each connection closes when its attempt is over and nobody waits. */
  close(): void {
    this.#closing = true;
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) this.drop(idle);
  }

  destroy(): void {
    this.#closing = true;
    for (let next = this.#line.shift(); next; next = this.#line.shift()) {
      next.onResponseError(null, new errors.ClientDestroyedError());
    }
    for (const connection of [...this.#connections]) connection.destroy();
  }

  #another(): OriginConnection | undefined {
    const index = this.#connections.length;
    if (index >= this.#most) return undefined;
    const connection = new OriginConnection(this.#makeClient, this, index);
    this.#connections.push(connection);
    return connection;
  }

  #dispatch(connection: OriginConnection, attempt: Dispatchable): void {
    connection.dispatch(attempt.dispatchOptions(connection), attempt);
  }

  /** For one that waited. What its exchange throws, where it is refused, is not for whoever gave the connection. */
  #serve(connection: OriginConnection, next: Dispatchable): void {
    try {
      this.#dispatch(connection, next);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #nextTurn = (): void => {
    const rested = this.#resting;
    this.#resting = [];
    for (const connection of rested) {
      const next = this.#line.shift();
      if (next) this.#serve(connection, next);
      else if (this.#closing || !connection.open) this.drop(connection);
      else this.#idle.push(connection);
    }
  };

  #remove(connection: OriginConnection): void {
    const last = this.#connections.pop()!;
    if (last !== connection) {
      this.#connections[connection.index] = last;
      last.index = connection.index;
    }
    const next = this.#line.length > this.#resting.length ? this.#line.shift() : undefined;
    if (next) this.#serve(this.#another()!, next);
  }
}
