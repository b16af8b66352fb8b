import type { Dispatcher } from 'undici';
import { Sweeper, type Swept } from '../core/sweeper.ts';
import type { Sender } from './http-connection.ts';
import { type ConnectionKeeper, type OriginAccess, OriginConnection, type SentOptions } from './origin-connection.ts';
import { errors } from './undici-client.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** An attempt as the pool sees it. */
export interface Dispatchable extends Waiting, Dispatcher.DispatchHandler, Sender {
  /**
   * Its turn has come, on this connection, which it gives back once. The options are made only now, so that a line that it
   * left holds nothing of it.
   */
  dispatchOptions(connection: OriginConnection): SentOptions;
  onRequestStart(controller: TransferControl): void;
  onResponseStarted(): void;
  onResponseError(controller: TransferControl | null, error: Error): void;
}

/** Control of a transfer, by undici's controller or by the connection itself. */
export interface TransferControl {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** How long an idle connection is kept: less than providers and load balancers commonly do (60 s and more). */
export const KEEP_ALIVE_MS = 30_000;
/** How often the pool looks at idle connections. */
const IDLE_LOOK_MS = 500;
/** Pools of this thread that have idle connections. */
const resting = new Sweeper<OriginPool>('idle');

/**
 * Connections to one origin with one credential. The pool chooses the one that serves: undici's own pool looks through all
 * busy ones for each request. The line of waiting attempts is ours too: an attempt that gives up leaves it at once with all
 * that it holds, and one that waits is told apart from one that connects.
 */
export class OriginPool implements ConnectionKeeper, Swept {
  sweepIndex = -1;
  /** Connections open now. */
  open = 0;
  readonly #access: OriginAccess;
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  /** All connections, the idle ones and those being opened included. */
  readonly #connections: OriginConnection[] = [];
  /** The latest used is used next: its memory is warm, and surplus ones stay idle until they are closed. */
  readonly #idle = new WaitingLine<OriginConnection>();
  /**
   * Connections whose answers ended in this turn of the loop. A waiting attempt gets them in the next: undici tells the end
   * before its own state is settled, and what the provider does right behind its answer (an unannounced close, unasked
   * bytes) is then seen before anything more is written.
   */
  #ended: OriginConnection[] = [];
  /** Connections that were idle, or ended in the turn before: given out when all bytes of this turn have been read. */
  #checked: OriginConnection[] = [];
  readonly #line = new WaitingLine<Dispatchable>();
  #closing = false;
  #lookedAt = 0;

  constructor(access: OriginAccess, maxConnections: number, maxWaiting: number) {
    this.#access = access;
    this.#maxConnections = maxConnections;
    this.#maxWaiting = maxWaiting;
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

  /** False, and nothing taken, where no more attempts may wait. */
  enter(attempt: Dispatchable): boolean {
    const servedNextTurn = this.#given;
    const isServed = this.#line.length < servedNextTurn;
    const idle = isServed ? undefined : this.#idle.pop();
    // A wait for the next turn is shorter than a connect.
    const another = isServed || idle ? undefined : this.#another();
    if (idle) this.#give(this.#checked, idle);
    if (another) this.#dispatch(another, attempt);
    else if (!idle && this.#line.length >= this.#maxWaiting + servedNextTurn) return false;
    else this.#line.push(attempt);
    return true;
  }

  /** The attempt gave up before its turn. */
  leaveLine(attempt: Dispatchable): void {
    this.#line.remove(attempt);
  }

  /** The answer on it ended well, or the attempt was refused before undici took it. */
  free(connection: OriginConnection): void {
    this.#give(this.#ended, connection);
  }

  /** Connections that serve waiting attempts in this turn or the next. */
  get #given(): number {
    return this.#ended.length + this.#checked.length;
  }

  #give(to: OriginConnection[], connection: OriginConnection): void {
    if (this.#given === 0) setImmediate(this.#endOfTurn);
    to.push(connection);
  }

  /** The attempt on it failed; undici's state of it is destroyed in the next turn. */
  broken(connection: OriginConnection): void {
    setImmediate(() => connection.destroy());
    this.#remove(connection);
  }

  /** It is about to be aborted, or nobody needs it. */
  drop(connection: OriginConnection): void {
    connection.close();
    this.#remove(connection);
  }

  connected(): void {
    this.open += 1;
  }

  disconnected(connection: OriginConnection): void {
    this.open -= 1;
    // undici reopens one that an attempt holds, or fails the attempt.
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
    if (index >= this.#maxConnections) return undefined;
    const connection = new OriginConnection(this.#access, this, index);
    this.#connections.push(connection);
    return connection;
  }

  #dispatch(connection: OriginConnection, attempt: Dispatchable): void {
    connection.dispatch(attempt.dispatchOptions(connection), attempt);
  }

  /** Serves a waiting attempt. An error that its exchange throws is not the caller's, whose connection this was. */
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
