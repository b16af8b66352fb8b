import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError, PathParams, Principal } from '../core/exchange.ts';
import type { RequestTaker } from './client-connections.ts';

/** A client's WebSocket. What is done with it after its end does nothing. */
export interface ClientSocket {
  readonly principal: Principal;
  /** The headers of the request that opened it. */
  readonly headers: HeadersOfInterest;
  /** One message. False: more waits than the high watermark, until `drained`. */
  send(message: string | Uint8Array, isBinary?: boolean): boolean;
  /** RFC 6455 §7.4. `reason`: at most 123 bytes. */
  close(code: number, reason: string): void;
}

/** The receiver of one socket's events. What it throws closes that socket with 1011, and no other. */
export interface SocketHandler {
  /** The receiver owns the bytes. */
  message(bytes: Buffer, isBinary: boolean): void;
  /** A message larger than `maxBytes` came and was dropped. */
  tooLarge(maxBytes: number): void;
  drained(): void;
  /** The last event. `code`: the client's, or the addon's where the client sent none (RFC 6455 §7.4.1). */
  closed(code: number, reason: string): void;
  /** The gateway stops: the receiver closes the socket when what is under way has ended, or at the drain deadline. */
  drain(): void;
  /** The drain deadline came. */
  cut(): void;
}

/** A GET request for a WebSocket, whose key was accepted. */
export interface SocketRequest {
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  readonly params: PathParams;
  /** The subprotocols that the client offers, without keys. */
  readonly protocols: readonly string[];
  /** The client's `x-request-id`; undefined: it sent none that may be a label. */
  readonly requestId: string | undefined;
}

/** A request whose upgrade was accepted. */
export interface AcceptedSocket {
  open(socket: ClientSocket): SocketHandler;
  /** Called in place of `open` where the client has left. */
  abandoned(): void;
}

/** A GET route that may be upgraded to a WebSocket. */
export interface SocketRoute {
  readonly pattern: string;
  /** Tokens that are good there alone open it, too; absent: none is. */
  readonly audience?: string;
  /** An error is answered as that of any request, a throw as `internal_error`. The client waits until then. */
  accept(request: SocketRequest): OrError<AcceptedSocket> | Promise<OrError<AcceptedSocket>>;
}

interface SocketData {
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  readonly accepted: AcceptedSocket;
  socket: OpenSocket | undefined;
}

/** The handshake of RFC 6455, and what the addon needs to go on with it in a later turn. */
export interface Handshake {
  readonly key: string;
  readonly protocol: string;
  readonly extensions: string;
  readonly context: us_socket_context_t;
}

export interface WebSocketsOptions {
  maxMessageBytes(): number;
  highWatermarkBytes(): number;
  /** Called for each request for an upgrade: upgrades it, or answers it as any other. */
  onUpgrade(response: HttpResponse, request: HttpRequest, handshake: Handshake): void;
}

/** Silence after which the addon closes a socket; it sends a ping before. */
const IDLE_SECONDS = 120;
/** RFC 6455 §7.4.1: an unexpected condition. */
const FAULT_CLOSE = 1011;

/**
 * The addon ends a connection without a word when a message outgrows its own bound. So that bound is above ours, and a
 * message between the two, as a conversation that grows turn by turn sends it, is refused by name.
 */
const READ_BEYOND = 2;

/** A request for a WebSocket, with its route. */
export interface UpgradeRequest {
  readonly route: SocketRoute;
  readonly asked: SocketRequest;
  /** Answers in the place of the upgrade. */
  refuse(error: GatewayError, request: RequestTaker): void;
}

/** WebSockets of one relay thread. */
export class WebSockets {
  readonly #open = new Set<OpenSocket>();
  #onEmpty: (() => void) | undefined;
  #draining = false;

  constructor(app: TemplatedApp, options: WebSocketsOptions) {
    app.ws<SocketData>('/*', {
      compression: 0,
      maxPayloadLength: READ_BEYOND * options.maxMessageBytes(),
      // The sender bounds it: it stops at the high watermark.
      maxBackpressure: 0,
      idleTimeout: IDLE_SECONDS,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => {
        const header = (name: string): string => request.getHeader(name);
        const key = header('sec-websocket-key');
        const handshake = {
          key,
          protocol: header('sec-websocket-protocol'),
          extensions: header('sec-websocket-extensions'),
          context,
        };
        options.onUpgrade(response, request, handshake);
      },
      open: (socket) => {
        const data = socket.getUserData();
        const opened = new OpenSocket(socket, data, options);
        data.socket = opened;
        this.#open.add(opened);
        opened.begin(data.accepted);
        // A socket that was accepted before the drain began must drain as well.
        if (this.#draining) opened.drain();
      },
      message: (socket, message, isBinary) => {
        socket.getUserData().socket?.message(message, isBinary, options.maxMessageBytes());
      },
      drain: (socket) => socket.getUserData().socket?.drained(),
      close: (socket, code, reason) => {
        const { socket: opened } = socket.getUserData();
        if (opened === undefined) return;
        opened.over(code, Buffer.from(reason).toString());
        this.#open.delete(opened);
        if (this.#open.size === 0) this.#onEmpty?.();
      },
    });
  }

  /**
   * In a turn of its own: within the handler of a head the addon could go on to the next request, and the upgrade moves
   * the connection in memory. `connections` hears of the request as of any other.
   */
  upgrade(
    response: HttpResponse,
    arrives: (request: RequestTaker) => void,
    handshake: Handshake,
    { route, asked, refuse }: UpgradeRequest,
  ): void {
    const request: RequestTaker = { connection: undefined, takeData: () => {} };
    arrives(request);
    let gone = false;
    response.onAborted(() => {
      gone = true;
      request.connection?.lost();
    });
    setImmediate(async () => {
      if (gone) return;
      const accepted = await decision(route, asked);
      if (accepted instanceof GatewayError) {
        if (!gone) refuse(accepted, request);
        return;
      }
      if (gone) {
        accepted.abandoned();
        return;
      }
      request.connection?.lost();
      const { key, protocol, extensions, context } = handshake;
      const { principal, headers } = asked;
      const data = { principal, headers, accepted };
      // Without a cork: where the upgrade leaves the connection at its address, the addon's cork would go on to read the
      // WebSocket's memory as that of a response, and close at random.
      response.upgrade<SocketData>({ ...data, socket: undefined }, key, protocol, extensions, context);
    });
  }

  /** Resolves when the last one is closed. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const socket of [...this.#open]) socket.drain();
    await empty;
  }

  cut(): void {
    for (const socket of [...this.#open]) socket.cut();
  }
}

class OpenSocket implements ClientSocket {
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  #handler: SocketHandler | undefined;
  readonly #options: WebSocketsOptions;
  /** Undefined: it is closed. */
  #socket: WebSocket<SocketData> | undefined;

  constructor(socket: WebSocket<SocketData>, { principal, headers }: SocketData, options: WebSocketsOptions) {
    this.#socket = socket;
    this.#options = options;
    this.principal = principal;
    this.headers = headers;
  }

  begin(accepted: AcceptedSocket): void {
    this.#guarded(() => {
      this.#handler = accepted.open(this);
    });
  }

  message(message: ArrayBuffer, isBinary: boolean, maxBytes: number): void {
    try {
      if (message.byteLength > maxBytes) this.#handler?.tooLarge(maxBytes);
      // The addon's memory is gone when the call returns.
      else this.#handler?.message(Buffer.from(message.slice(0)), isBinary);
    } catch (error) {
      this.#broken(error);
    }
  }

  drained(): void {
    try {
      this.#handler?.drained();
    } catch (error) {
      this.#broken(error);
    }
  }

  drain(): void {
    this.#guarded(() => this.#handler?.drain());
  }

  cut(): void {
    this.#guarded(() => this.#handler?.cut());
  }

  send(message: string | Uint8Array, isBinary = false): boolean {
    const socket = this.#socket;
    if (socket === undefined) return true;
    socket.send(message as string | ArrayBuffer, isBinary);
    return this.#socket === undefined || socket.getBufferedAmount() <= this.#options.highWatermarkBytes();
  }

  close(code: number, reason: string): void {
    this.#socket?.end(code, reason);
  }

  over(code: number, reason: string): void {
    this.#socket = undefined;
    this.#guarded(() => this.#handler?.closed(code, reason));
    this.#handler = undefined;
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** A bug costs this socket: thrown into the addon it would end the thread, and with it the process. */
  #broken(error: unknown): void {
    queueMicrotask(() => {
      throw error;
    });
    this.#socket?.end(FAULT_CLOSE, 'an error of the gateway');
  }
}

/** A bug of a route costs the request that met it, and no other. */
async function decision(route: SocketRoute, asked: SocketRequest): Promise<OrError<AcceptedSocket>> {
  try {
    return await route.accept(asked);
  } catch (cause) {
    return new GatewayError('internal_error', { cause });
  }
}
