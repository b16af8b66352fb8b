import type { HttpResponse } from 'uWebSockets.js';
import { type GatewayError, retryHeaders } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { exchangeId, requestLabel } from '../core/ids.ts';
import type { ClientConnection, RequestTaker } from './client-connections.ts';
import type { EdgeContext } from './edge-context.ts';
import type { RequestHead } from './request-head.ts';
import { joinHead, serverTiming, statusLine } from './response-head.ts';
import type { Route } from './routes.ts';

/** A request that was refused before it became an exchange of the pipeline: enough for a record. */
export interface Refusal {
  readonly id: string;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly startedAt: number;
  readonly principal: Principal | undefined;
  readonly error: GatewayError;
  readonly clientJson: string | undefined;
}

/** A request of which the head alone was read. */
export interface AskedHead {
  readonly response: HttpResponse;
  readonly head: RequestHead;
  readonly method: string;
  /** The pattern of its route; empty: there is none. */
  readonly path: string;
  /** performance.now(). */
  readonly startedAt: number;
  readonly route?: Route;
  readonly principal?: Principal;
}

export interface HeadAnswerOptions {
  onRefused(refusal: Refusal): void;
  /** How an error looks on paths that are no route. */
  errorBody(error: GatewayError, exchangeId?: string): Uint8Array;
}

/**
 * When the connection of a refused request is closed:
 * - `at-once`: with the answer, since nobody can say where the next request would begin.
 * - `behind-body`: with the answer, or where a body is still coming behind it, for `timeouts.body_ms` at the most.
 * - `behind-body-only`: the same where there is a body; without one the connection rests.
 * - `by-client`: the client is told to close; a body that is too large goes on arriving for as long as the client sends.
 */
export type Closing = 'at-once' | 'behind-body' | 'behind-body-only' | 'by-client';

/** Answers to the head alone: refusals, and preflights of browsers. */
export class HeadAnswers {
  readonly #edge: EdgeContext;
  readonly #options: HeadAnswerOptions;

  constructor(edge: EdgeContext, options: HeadAnswerOptions) {
    this.#edge = edge;
    this.#options = options;
  }

  /** `headers`: flat name-value pairs beside the usual ones. */
  refuse(asked: AskedHead, error: GatewayError, closes: Closing, headers: readonly string[] = []): void {
    this.#refuse(asked, error, closes, headers);
  }

  /** Refuses a request whose connection knows of it, in a later turn, and closes the connection. */
  refuseLater(asked: AskedHead, error: GatewayError, request: RequestTaker): void {
    this.#refuse(asked, error, 'at-once', [], request);
  }

  #refuse(
    asked: AskedHead,
    error: GatewayError,
    closes: Closing,
    headers: readonly string[],
    request?: RequestTaker,
  ): void {
    const { response, head, method, path, startedAt, route, principal } = asked;
    const edge = this.#edge;
    const id = exchangeId();
    const clientJson = edge.clientJson(head, response);
    const requestId = requestLabel(head.requestId) ?? id;
    // After an end without a body the addon does not count the answer as given until the connection is closed.
    const close =
      closes === 'at-once' ||
      closes === 'behind-body' ||
      (closes === 'behind-body-only' && (head.hasBody || edge.closesAfterAnswer)) ||
      method === 'HEAD';
    // The addon closes with the answer where the client asked for that.
    const lingers = close && closes !== 'at-once' && head.hasBody && method !== 'HEAD' && !head.closes;
    const all = ['content-type', 'application/json', 'x-request-id', requestId, 'x-sluice-exchange-id', id, ...headers];
    all.push(...retryHeaders(error));
    if (!close && closes !== 'by-client') all.push(...edge.keepAliveHeaders(head));
    all.push(...edge.corsHeaders(head.origin));
    all.push('server-timing', serverTiming(performance.now() - startedAt, 0));
    const body = (route?.errorBody ?? this.#options.errorBody)(error, id);
    const answer = (connection: ClientConnection | undefined): void => {
      const isBodyComing = lingers && connection?.bodyEnded !== true;
      const closesNow = close && !isBodyComing;
      // Where it closes now the addon writes the header itself.
      if (isBodyComing || closes === 'by-client') all.push('connection', 'close');
      response.writeStatus(statusLine(error.status));
      response.writeHeader(all[0]!, joinHead(all));
      // RFC 9110 §9.3.2: a client that keeps the connection would read a body as the next answer.
      if (method === 'HEAD') response.endWithoutBody(body.length, closesNow);
      else response.end(body, closesNow);
      if (isBodyComing) connection?.closeBehindBody();
      else if (close || closes === 'by-client' || head.closes) connection?.leaveToAddon();
      else connection?.rest();
    };
    if (request === undefined) this.#answer(response, answer);
    else response.cork(() => answer(request.connection));
    if (error.context.isRecorded) return;
    this.#options.onRefused({ id, requestId, method, path, startedAt, principal, error, clientJson });
  }

  /** `corsHeaders`: flat name-value pairs. */
  preflight(response: HttpResponse, head: RequestHead, corsHeaders: readonly string[]): void {
    const headers = ['content-length', '0', ...corsHeaders, ...this.#edge.keepAliveHeaders(head)];
    const answer = (connection: ClientConnection | undefined): void => {
      response.writeStatus(statusLine(204));
      if (headers.length > 2) response.writeHeader(headers[2]!, joinHead(headers.slice(2)));
      response.endWithoutBody();
      if (head.closes) connection?.leaveToAddon();
      else connection?.rest();
    };
    this.#answer(response, answer);
  }

  /**
   * Answers in the next turn. Within the handler the addon would go on to the next request of the same packet, and forget
   * that it shall close: what stands behind a refused request could then be run (request smuggling). While an answer is
   * pending it ends a connection that brings another request. `answer` also says what becomes of the connection.
   */
  #answer(response: HttpResponse, answer: (connection: ClientConnection | undefined) => void): void {
    const request: RequestTaker = { connection: undefined, takeData: IGNORE };
    const { connections } = this.#edge;
    connections.arrives(request, response);
    let gone = false;
    response.onAborted(() => {
      gone = true;
      connections.settled(request);
      request.connection?.lost();
    });
    setImmediate(() => {
      if (gone) return;
      connections.settled(request);
      response.cork(() => answer(request.connection));
    });
  }
}

const IGNORE = (): void => {};
