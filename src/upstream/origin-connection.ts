import type { Socket } from 'node:net';
import type { Client, Dispatcher } from 'undici';
import type { HeadLines } from './head-lines.ts';
import { HttpConnection, type HttpConnectionKeeper, type Sender } from './http-connection.ts';
import type { RequestHeads } from './request-head.ts';
import { UnaskedContinue } from './unasked-continue.ts';
import { errors } from './undici-client.ts';
import type { Waiting } from './waiting-line.ts';

/** The owner of connections. */
export interface ConnectionKeeper {
  connected(): void;
  disconnected(connection: OriginConnection): void;
}

/** A request as undici takes it. */
export type SentOptions = Dispatcher.DispatchOptions & { readonly headers: string[] };

/** How one origin is reached. */
export interface OriginAccess {
  readonly heads: RequestHeads;
  readonly lines: HeadLines;
  /** undefined: its sockets are read by undici only. */
  readonly connect: ((opened: (error: Error | undefined, socket: Socket | undefined) => void) => void) | undefined;
  /** One of undici's clients; `takeOver` is asked for a socket before it opens another. */
  client(heads: UnaskedContinue, takeOver: () => Socket | undefined): Client;
}

/**
 * One connection at a time. Usual requests go on a socket of ours (http-connection.ts). With the first unusual one (its body
 * streams, its method or a header asks for more) undici takes the socket over for good, once it has accepted that request:
 * until then the socket is watched here. Where the provider closed before a request was written, undici opens another
 * socket and writes it there. A connection that has neither socket nor attempt is dropped.
 */
export class OriginConnection implements Waiting, HttpConnectionKeeper {
  /** Among the idle ones. */
  ahead: Waiting | undefined;
  behind: Waiting | undefined;
  inLine = false;
  /** Its place among the connections of its pool, which it leaves without a search. */
  index: number;
  open = false;
  /** performance.now() after which it closes, if it is still idle; 0: not known yet. */
  restsUntil = 0;
  readonly #access: OriginAccess;
  readonly #keeper: ConnectionKeeper;
  /** Watches the requests that go through undici; undefined: none has gone yet. */
  #heads: UnaskedContinue | undefined;
  #http: HttpConnection | undefined;
  #client: Client | undefined;
  #closing = false;
  /** The sender that it is being opened for. */
  #awaited: Sender | undefined;
  #destroyed: Error | undefined;

  constructor(access: OriginAccess, keeper: ConnectionKeeper, index: number) {
    this.#access = access;
    this.#keeper = keeper;
    this.index = index;
  }

  dispatch(options: SentOptions, sender: Sender & Dispatcher.DispatchHandler): void {
    this.restsUntil = 0;
    if (this.#client === undefined && this.#access.connect !== undefined) {
      const { body, method } = options;
      const head = body == null || Buffer.isBuffer(body) ? this.#access.heads.of(options) : undefined;
      if (head !== undefined) {
        const request = { head, body: (body as Buffer | null) ?? undefined, expectsBody: method !== 'GET' };
        if (this.#http !== undefined && this.open) this.#send(this.#http, request, sender);
        else this.#open(this.#access.connect, request, sender);
        return;
      }
    }
    this.#client ??= this.#throughUndici();
    this.#heads?.expectHead();
    this.#client.dispatch(options, sender);
  }

  /** Closes once the request under way is answered. */
  close(): void {
    this.#closing = true;
    this.#client?.close(ignore);
    if (this.#http?.busy === false) this.#http.destroy();
  }

  /** Must not be called within one of its callbacks: undici would find its own state changed. */
  destroy(): void {
    this.#destroyed = new errors.ClientDestroyedError();
    this.#client?.destroy(ignore);
    this.#http?.destroy(this.#destroyed);
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.onResponseError(null, this.#destroyed);
  }

  /** How long it may be idle; undefined: as long as the pool keeps it. */
  get keepAliveMs(): number | undefined {
    return this.#http?.keepAliveMs;
  }

  /** It stayed idle since the last look. */
  rest(): void {
    this.#http?.rest();
  }

  /** Whether this code closes it when it is idle: undici closes its own. */
  get restsHere(): boolean {
    return this.#http !== undefined;
  }

  spent(http: HttpConnection): void {
    if (this.#http === http) this.open = false;
  }

  closed(http: HttpConnection): void {
    if (this.#http === http) this.#http = undefined;
    this.#keeper.disconnected(this);
  }

  #open(connect: NonNullable<OriginAccess['connect']>, request: UsualRequest, sender: Sender): void {
    this.#awaited = sender;
    connect((error, socket) => {
      const awaited = this.#awaited;
      this.#awaited = undefined;
      if (socket === undefined) {
        awaited?.onResponseError(null, error ?? new errors.SocketError('no socket'));
        return;
      }
      if (awaited === undefined) {
        socket.destroy();
        return;
      }
      const http = new HttpConnection(socket, this, this.#access.lines);
      this.#http = http;
      this.open = true;
      this.#keeper.connected();
      this.#send(http, request, awaited);
    });
  }

  #send(http: HttpConnection, { head, body, expectsBody }: UsualRequest, sender: Sender): void {
    http.send(sender, head, body, expectsBody);
    if (this.#closing && !http.busy) http.destroy();
  }

  #throughUndici(): Client {
    this.#heads = new UnaskedContinue();
    const client = this.#access.client(this.#heads, () => this.#handOver());
    client.on('connect', () => {
      this.open = true;
      this.#keeper.connected();
    });
    client.on('disconnect', () => {
      this.open = false;
      this.#keeper.disconnected(this);
    });
    return client;
  }

  #handOver(): Socket | undefined {
    const http = this.#http;
    if (http === undefined || !this.open) return undefined;
    this.#http = undefined;
    this.open = false;
    this.#keeper.disconnected(this);
    return http.release();
  }
}

/** A request whose body, if it has one, is whole in memory. */
interface UsualRequest {
  readonly head: Buffer;
  readonly body: Buffer | undefined;
  readonly expectsBody: boolean;
}

function ignore(): void {
  // Closing is best effort: nothing waits for it and nothing is lost when it fails.
}
