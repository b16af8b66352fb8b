import type { HttpResponse } from 'uWebSockets.js';
import { type GatewayError, retryHeaders } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { exchangeId, isSaneRequestId } from '../core/ids.ts';
import type { RequestTaker } from './client-connections.ts';
import type { EdgeContext } from './edge-context.ts';
import type { RequestHead } from './request-head.ts';
import { joinHead, serverTiming, statusLine } from './response-head.ts';
import type { Route } from './routes.ts';

/** What was turned away before it became an exchange of the pipeline: enough for a record. */
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

/** Whether the connection is closed with a refusal. */
export type Closing = 0 | 1 | 2;
/** A body that goes on arriving: closing now would reset the connection before the client has read why. */
export const NEVER_CLOSES = 0;
export const HAS_BODY_CLOSES = 1;
export const ALWAYS_CLOSES = 2;

/** Answers that are given on the head alone: refusals, and what a browser asks before its request. */
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
    this.#refuse(asked, error, ALWAYS_CLOSES, [], request);
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
    const requestId = head.requestId !== undefined && isSaneRequestId(head.requestId) ? head.requestId : id;
    // After an end without a body the addon does not count the answer as given until the connection is closed.
    const close =
      closes === ALWAYS_CLOSES ||
      (closes === HAS_BODY_CLOSES && (head.hasBody || edge.closesAfterAnswer)) ||
      method === 'HEAD';
    const all = ['content-type', 'application/json', 'x-request-id', requestId, 'x-sluice-exchange-id', id, ...headers];
    all.push(...retryHeaders(error));
    // With `close` the addon writes the header itself.
    if (closes === NEVER_CLOSES) all.push('connection', 'close');
    else if (!close) all.push(...edge.keepAliveHeaders(head));
    all.push(...edge.corsHeaders(head.origin));
    all.push('server-timing', serverTiming(performance.now() - startedAt, 0));
    const body = (route?.errorBody ?? this.#options.errorBody)(error, id);
    const answer = (): void => {
      response.writeStatus(statusLine(error.status));
      response.writeHeader(all[0]!, joinHead(all));
      // RFC 9110 §9.3.2: whoever keeps the connection would read a body as the next answer.
      if (method === 'HEAD') response.endWithoutBody(body.length, close);
      else response.end(body, close);
    };
    if (request === undefined) {
      this.#answer(response, answer, close || closes === NEVER_CLOSES || head.closes ? 'closes' : 'rests');
    } else {
      response.cork(() => {
        answer();
        request.connection?.leaveToAddon();
      });
    }
    if (error.context.isRecorded) return;
    this.#options.onRefused({ id, requestId, method, path, startedAt, principal, error, clientJson });
  }

  /** `corsHeaders`: flat name-value pairs. */
  preflight(response: HttpResponse, head: RequestHead, corsHeaders: readonly string[]): void {
    const headers = ['content-length', '0', ...corsHeaders, ...this.#edge.keepAliveHeaders(head)];
    const answer = (): void => {
      response.writeStatus(statusLine(204));
      if (headers.length > 2) response.writeHeader(headers[2]!, joinHead(headers.slice(2)));
      response.endWithoutBody();
    };
    this.#answer(response, answer, head.closes ? 'closes' : 'rests');
  }

  /**
   * Answers in the next turn. Within the handler the addon would go on to the next request of the same packet, and forget
   * that it shall close: what stands behind a refused request could then be run (request smuggling). While an answer is
   * pending it ends a connection that brings another request.
   */
  #answer(response: HttpResponse, answer: () => void, afterwards: 'rests' | 'closes'): void {
    const request: RequestTaker = { connection: undefined, takeData: IGNORE };
    this.#edge.connections.arrives(request);
    let gone = false;
    response.onAborted(() => {
      gone = true;
      request.connection?.lost();
    });
    setImmediate(() => {
      if (gone) return;
      response.cork(() => {
        answer();
        if (afterwards === 'rests') request.connection?.rest();
        else request.connection?.leaveToAddon();
      });
    });
  }
}

const IGNORE = (): void => {};
