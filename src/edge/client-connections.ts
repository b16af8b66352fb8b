import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { Sweeper, type Swept } from '../core/sweeper.ts';

/** A request as its connection sees it. */
export interface RequestTaker {
  /** Set right behind the addon's callback for the head, before any of the body. */
  connection: ClientConnection | undefined;
  /** A piece of the body, empty ones too; `chunk` is the addon's again when the call returns. */
  takeData(chunk: ArrayBuffer, isLast: boolean): void;
}

/**
 * Clients' connections between two requests. The addon closes a connection some eleven seconds after its last answer, and
 * a client that pools connections longer (a load balancer: 60 to 600 s) meets a reset. Pausing and resuming restarts that
 * clock, but the addon gives a handle for it only with `filter`, and does not say which connection ended. So:
 *
 * - **The end.** Each connection's own `onAborted` is registered by this handle while it rests. The addon calls it at
 *   the end, whatever the reason, and makes the handle invalid first: a use after that throws and touches nothing. During a
 *   request, the code that answers it has registered its own `onAborted`, and calls `lost`.
 * - **Whose request.** Each connection's own `onData` is registered as well. Right behind the handler of a head the addon
 *   calls it, with the body or with nothing, in the same call stack: what `arrives` named is its request.
 *
 * There is one exception: behind a head that announces chunks and comes alone, the addon calls nobody before the first chunk.
 * Until then data of other connections may come, and other heads.
 * - Data of a connection whose body has not ended belongs to that body, never to the request that waits.
 * - Where another head comes first, the request that waits gets a connection of its own without a handle, which takes its
 *   chunks and ends with its answer. Nobody knows then which connection that is: none that rests is touched before its own
 *   next request, and the addon's eleven seconds count for all of them.
 *
 * A WebSocket has to be upgraded in a later turn than its request's, after `lost`: the upgrade moves the connection in memory.
 */
export class ClientConnections {
  /** Connections that close behind the body of a refused request; none keeps its thread alive. */
  readonly lingering = new Sweeper<LingeringClose>('idle');
  readonly #keepAliveMs: () => number;
  readonly #lingerMs: () => number;
  readonly #groups: ClientConnection[][] = Array.from({ length: GROUPS }, () => []);
  #turn = 0;
  #resting = 0;
  #timer: NodeJS.Timeout | undefined;
  #arrived: RequestTaker | undefined;
  #arrivedBy: HttpResponse | undefined;

  /** `keepAliveMs`: how long one may rest; `lingerMs`: see `closeBehindBody`. Both are asked each time; 0: for ever. */
  constructor(app: TemplatedApp, waits: { keepAliveMs(): number; lingerMs(): number }) {
    this.#keepAliveMs = waits.keepAliveMs;
    this.#lingerMs = waits.lingerMs;
    app.filter(this.#onOpenOrClose);
  }

  /** Within the addon's callback for a head. */
  arrives(request: RequestTaker, response: HttpResponse): void {
    if (this.#arrived && this.#arrivedBy) {
      this.#forgetAll();
      new ClientConnection(this).follow(this.#arrived, this.#arrivedBy);
    }
    this.#arrived = request;
    this.#arrivedBy = response;
  }

  /** The request was answered, or its client has left: its `response` is not touched any more. */
  settled(request: RequestTaker): void {
    if (this.#arrived !== request) return;
    this.#arrived = undefined;
    this.#arrivedBy = undefined;
  }

  get lingerMs(): number {
    return this.#lingerMs();
  }

  takeArrived(): RequestTaker | undefined {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    this.#arrivedBy = undefined;
    return arrived;
  }

  /** Connections between two requests. */
  get resting(): number {
    return this.#resting;
  }

  add(connection: ClientConnection): void {
    // The group that was looked at last comes last again.
    const group = this.#groups[this.#turn]!;
    connection.group = this.#turn;
    connection.index = group.length;
    group.push(connection);
    this.#resting += 1;
    this.#timer ??= setInterval(this.#lookAtNext, EVERY_MS / GROUPS).unref();
  }

  remove(connection: ClientConnection): void {
    if (connection.index < 0) return;
    const group = this.#groups[connection.group]!;
    const last = group.pop()!;
    if (last !== connection) {
      group[connection.index] = last;
      last.index = connection.index;
    }
    connection.index = -1;
    this.#resting -= 1;
  }

  /** The addon calls it again at the end of a connection, with a handle that tells nothing. */
  #onOpenOrClose = (handle: HttpResponse, count: number): void => {
    if (count > 0) new ClientConnection(this, handle);
  };

  /** Looks at a share of them each time: thousands at once would delay streams. */
  #lookAtNext = (): void => {
    if (this.#resting === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#turn = (this.#turn + 1) % GROUPS;
    const group = this.#groups[this.#turn]!;
    const keepAliveMs = this.#keepAliveMs();
    const before = keepAliveMs === 0 ? Number.NEGATIVE_INFINITY : performance.now() - keepAliveMs;
    // Backwards: one that closes takes itself out.
    for (let index = group.length - 1; index >= 0; index -= 1) group[index]!.keepOpenSince(before);
  };

  #forgetAll(): void {
    for (const group of this.#groups) for (const connection of [...group]) this.remove(connection);
  }
}

/** The addon closes what rested for 8 to 12 seconds. */
const EVERY_MS = 4_000;
const GROUPS = 16;

export class ClientConnection {
  /** Its place while it rests; owned by ClientConnections. */
  group = 0;
  index = -1;
  readonly #connections: ClientConnections;
  /** Undefined: the connection is over, or nobody knows which one it is. */
  #handle: HttpResponse | undefined;
  #request: RequestTaker | undefined;
  #bodyEnded = true;
  #restsSince = 0;
  #lingers: LingeringClose | undefined;

  constructor(connections: ClientConnections, handle?: HttpResponse) {
    this.#connections = connections;
    this.#handle = handle;
    handle?.onAborted(this.#onGone);
    handle?.onData(this.#onData);
  }

  /** In the place of the connection that the request came on, from before the first byte of its body. */
  follow(request: RequestTaker, response: HttpResponse): void {
    this.#request = request;
    this.#bodyEnded = false;
    request.connection = this;
    response.onData(this.#onData);
  }

  /** Its request was answered; to be told within the cork in which the answer ended. */
  rest(): void {
    this.leaveToAddon();
    // Where the rest of a body is still coming it is closed behind that.
    if (!this.#handle || !this.#bodyEnded) return;
    this.#restsSince = performance.now();
    this.#connections.add(this);
  }

  /** The same where it shall not rest: the addon closes it, or the client does. */
  leaveToAddon(): void {
    this.#request = undefined;
    this.#handle?.onAborted(this.#onGone);
    this.#handle?.onData(this.#onData);
  }

  close(): void {
    this.#handle?.close();
  }

  get bodyEnded(): boolean {
    return this.#bodyEnded;
  }

  /** Whether another request can be read on it: the addon forgets who listens with each answer. */
  get goesOn(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * The request was refused while its body was still coming, and the client was told that the connection closes. What comes
   * is dropped until the body has ended, until nothing came for LINGER_IDLE_MS, or for `lingerMs` in all: closing at once
   * would reset the connection, and the client would see the reset instead of the reason.
   */
  closeBehindBody(): void {
    this.leaveToAddon();
    if (!this.#handle || this.#lingers) return;
    this.#lingers = new LingeringClose(this, this.#connections.lingerMs);
    this.#connections.lingering.add(this.#lingers);
  }

  /** It closed. */
  lost(): void {
    this.#connections.remove(this);
    if (this.#lingers) this.#connections.lingering.remove(this.#lingers);
    this.#handle = undefined;
    this.#request = undefined;
  }

  /** Closes it where it has rested since before then (performance.now()). */
  keepOpenSince(before: number): void {
    const handle = this.#handle!;
    try {
      if (this.#restsSince < before) {
        handle.close();
        return;
      }
      handle.pause();
      handle.resume();
    } catch {
      // The connection ended during a request whose connection was not known, so that nobody called `lost`.
      this.lost();
    }
  }

  #onGone = (): void => this.lost();

  #onData = (chunk: ArrayBuffer, isLast: boolean): void => {
    const isFirst = this.#bodyEnded;
    const arrived = isFirst ? this.#connections.takeArrived() : undefined;
    if (arrived) {
      this.#connections.remove(this);
      this.#request = arrived;
      arrived.connection = this;
    }
    this.#bodyEnded = isLast;
    if (this.#request) this.#request.takeData(chunk, isLast);
    // Answered before all of its body had come, and told to close: by now the client has read why.
    else if (isLast) this.close();
    // Answered while nobody knew which connection it was on.
    else if (isFirst) this.closeBehindBody();
    else this.#lingers?.heard();
  };
}

/** The waits of one connection that closes behind the body of a refused request. */
class LingeringClose implements Swept {
  sweepIndex = -1;
  readonly #connection: ClientConnection;
  readonly #until: number;
  #heardAt = performance.now();

  constructor(connection: ClientConnection, maxMs: number) {
    this.#connection = connection;
    this.#until = maxMs === 0 ? Number.POSITIVE_INFINITY : this.#heardAt + maxMs;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  sweep(now: number): void {
    if (now - this.#heardAt > LINGER_IDLE_MS || now > this.#until) this.#connection.close();
  }
}

const LINGER_IDLE_MS = 2_000;
