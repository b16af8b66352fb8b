import type { Dispatcher } from 'undici';
import { Sweeper, type Swept } from '../core/sweeper.ts';
import type { Sender } from './http-connection.ts';
import { type ConnectionKeeper, type OriginAccess, OriginConnection, type SentOptions } from './origin-connection.ts';
import { errors } from './undici-client.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** An attempt as the pool sees it. */
export interface Dispatchable extends Waiting, Dispatcher.DispatchHandler, Sender {
  /**
   * Its turn has come, on this connection, which it gives back once; made only now, so that nothing of it is held by a
   * line that it has left.
   */
  dispatchOptions(connection: OriginConnection): SentOptions;
  onRequestStart(controller: TransferControl): void;
  onResponseStarted(): void;
  onResponseError(controller: TransferControl | null, error: Error): void;
}

/** What can be done to a transfer: by undici's controller, or by the connection itself. */
export interface TransferControl {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** Keeps an idle connection for less time than providers and load balancers commonly do (60 s and more). */
export const KEEP_ALIVE_MS = 30_000;
/** So often idle connections are looked at. */
const IDLE_LOOK_MS = 500;
/** Pools of this thread that have idle connections. */
const resting = new Sweeper<OriginPool>('idle');

/**
 * Connections to one origin with one credential. Which of them serves is chosen here: undici's own pool looks through
 * all that are busy, for each request. The line of those that wait is ours too: what has given up leaves it at once with
 * all it holds, and whoever waits is known to wait and not to connect.
 */
export class OriginPool implements ConnectionKeeper, Swept {
  sweepIndex = -1;
  /** Connections open now. */
  open = 0;
  readonly #access: OriginAccess;
  readonly #most: number;
  readonly #mostWaiting: number;
  /** All, idle ones and those being opened too. */
  readonly #connections: OriginConnection[] = [];
  /** The one used last is used next: its memory is warm, and those nobody needs fall idle until undici closes them. */
  readonly #idle = new WaitingLine<OriginConnection>();
  /**
   * Their answers ended in this turn of the loop. Whoever waits gets them in the next: undici tells the end before its own
   * books are closed, and what the provider does right behind its answer (it closes without having said so, it sends
   * what nobody asked for) is then seen before anything more is written.
   */
  #ended: OriginConnection[] = [];
  /** They were idle, or ended in the turn before: given out when all that came in this turn has been read. */
  #checked: OriginConnection[] = [];
  readonly #line = new WaitingLine<Dispatchable>();
  #closing = false;
  #lookedAt = 0;

  constructor(access: OriginAccess, most: number, mostWaiting: number) {
    this.#access = access;
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Connections that an attempt holds, or that are being opened for one. */
  get running(): number {
    return this.#connections.length - this.#idle.length - this.#given;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** False, and nothing taken, where as many wait already as may. */
  enter(attempt: Dispatchable): boolean {
    const servedNextTurn = this.#given;
    const isServed = this.#line.length < servedNextTurn;
    const idle = isServed ? undefined : this.#idle.pop();
    // To wait for the next turn is less than to connect.
    const another = isServed || idle ? undefined : this.#another();
    if (idle) this.#give(this.#checked, idle);
    if (another) this.#dispatch(another, attempt);
    else if (!idle && this.#line.length >= this.#mostWaiting + servedNextTurn) return false;
    else this.#line.push(attempt);
    return true;
  }

  /** It gave up before its turn. */
  leaveLine(attempt: Dispatchable): void {
    this.#line.remove(attempt);
  }

  /** Its answer ended well, or its attempt was refused before undici took it. */
  free(connection: OriginConnection): void {
    this.#give(this.#ended, connection);
  }

  /** Connections that serve who waits in this turn or the next. */
  get #given(): number {
    return this.#ended.length + this.#checked.length;
  }

  #give(to: OriginConnection[], connection: OriginConnection): void {
    if (this.#given === 0) setImmediate(this.#endOfTurn);
    to.push(connection);
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
    if (!connection.inLine || connection.open) return;
    this.#idle.remove(connection);
    this.drop(connection);
  }

  /** No target uses it any more: each connection closes when its attempt is over and nobody waits. */
  close(): void {
    this.#closing = true;
    resting.remove(this);
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) this.drop(idle);
  }

  destroy(): void {
    this.#closing = true;
    resting.remove(this);
    for (let next = this.#line.shift(); next; next = this.#line.shift()) {
      next.onResponseError(null, new errors.ClientDestroyedError());
    }
    for (const connection of [...this.#connections]) connection.destroy();
  }

  sweep(now: number): void {
    if (now - this.#lookedAt < IDLE_LOOK_MS) return;
    this.#lookedAt = now;
    for (const connection of this.#idle.items()) {
      if (!connection.restsHere) continue;
      if (connection.restsUntil === 0) {
        connection.restsUntil = now + (connection.keepAliveMs ?? KEEP_ALIVE_MS);
        connection.rest();
      } else if (now >= connection.restsUntil) {
        this.#idle.remove(connection);
        this.drop(connection);
      }
    }
    if (this.#idle.length === 0) resting.remove(this);
  }

  #another(): OriginConnection | undefined {
    const index = this.#connections.length;
    if (index >= this.#most) return undefined;
    const connection = new OriginConnection(this.#access, this, index);
    this.#connections.push(connection);
    return connection;
  }

  #dispatch(connection: OriginConnection, attempt: Dispatchable): void {
    connection.dispatch(attempt.dispatchOptions(connection), attempt);
  }

  /** Serves one that waited. What its exchange throws, where it is refused, is not for whoever gave the connection. */
  #serve(connection: OriginConnection, next: Dispatchable): void {
    try {
      this.#dispatch(connection, next);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #endOfTurn = (): void => {
    const checked = this.#checked;
    const ended = this.#ended;
    this.#checked = [];
    this.#ended = [];
    for (const connection of checked) {
      const next = this.#line.shift();
      if (next) this.#serve(connection, next);
      else this.#rest(connection);
    }
    for (const connection of ended) {
      if (this.#line.length > this.#checked.length) this.#give(this.#checked, connection);
      else this.#rest(connection);
    }
  };

  #rest(connection: OriginConnection): void {
    if (this.#closing || !connection.open) {
      this.drop(connection);
      return;
    }
    this.#idle.push(connection);
    if (this.sweepIndex < 0) resting.add(this);
  }

  #remove(connection: OriginConnection): void {
    const last = this.#connections.pop()!;
    if (last !== connection) {
      this.#connections[connection.index] = last;
      last.index = connection.index;
    }
    const next = this.#line.length > this.#given ? this.#line.shift() : undefined;
    if (next) this.#serve(this.#another()!, next);
  }
}
