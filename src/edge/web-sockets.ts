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

/** Who hears a socket. */
export interface SocketHandler {
  /** The bytes are its own. */
  message(bytes: Buffer, isBinary: boolean): void;
  /** A message came that is larger than `maxBytes`; it is not handed on. */
  tooLarge(maxBytes: number): void;
  drained(): void;
  /** Nothing comes after it. `code`: the client's, or what the addon says where none came (RFC 6455 §7.4.1). */
  closed(code: number, reason: string): void;
  /** The gateway stops: it closes the socket when what is under way has ended, at the drain deadline at the latest. */
  drain(): void;
  /** The drain deadline came. */
  cut(): void;
}

/** A GET request that asks for a WebSocket, from whoever has a key. */
export interface SocketRequest {
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  readonly params: PathParams;
  /** The subprotocols that the client offers, without keys. */
  readonly protocols: readonly string[];
  /** The client's `x-request-id`; undefined: it sent none that may be a label. */
  readonly requestId: string | undefined;
}

/** A request that may have its socket. */
export interface AcceptedSocket {
  open(socket: ClientSocket): SocketHandler;
  /** In the place of `open`: the client left before. */
  abandoned(): void;
}

/** A GET route that may be upgraded to a WebSocket. */
export interface SocketRoute {
  readonly pattern: string;
  /** An error is answered as that of any request; until it is decided, the client waits for its upgrade. */
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
  /** Answers whatever asks for an upgrade; gives what is upgraded, undefined where it was answered otherwise. */
  onUpgrade(response: HttpResponse, request: HttpRequest, handshake: Handshake): void;
}

/** Silence after which the addon closes a socket; it sends a ping before. */
const IDLE_SECONDS = 120;

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
      // Bounded by whoever sends: it stops at the high watermark.
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
        // What was accepted before the gateway began to stop has to hear of it as well.
        if (this.#draining) opened.handler?.drain();
      },
      message: (socket, message, isBinary) => {
        const handler = socket.getUserData().socket?.handler;
        const maxBytes = options.maxMessageBytes();
        if (message.byteLength > maxBytes) handler?.tooLarge(maxBytes);
        // The addon's memory is gone when the call returns.
        else handler?.message(Buffer.from(message.slice(0)), isBinary);
      },
      drain: (socket) => socket.getUserData().socket?.handler?.drained(),
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
      const answer = route.accept(asked);
      const accepted = answer instanceof Promise ? await answer : answer;
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
    for (const socket of [...this.#open]) socket.handler?.drain();
    await empty;
  }

  cut(): void {
    for (const socket of [...this.#open]) socket.handler?.cut();
  }
}

class OpenSocket implements ClientSocket {
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  handler: SocketHandler | undefined;
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
    this.handler = accepted.open(this);
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
    this.handler?.closed(code, reason);
    this.handler = undefined;
  }
}
