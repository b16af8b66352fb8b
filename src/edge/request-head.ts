import type { HttpRequest } from 'uWebSockets.js';
import type { HeadersOfInterest } from '../core/exchange.ts';

/** All of a request's head that anybody reads, in one pass: each look at the addon's own headers is a crossing. */
export class RequestHead implements HeadersOfInterest {
  contentType: string | undefined;
  accept: string | undefined;
  traceparent: string | undefined;
  tracestate: string | undefined;
  idempotencyKey: string | undefined;
  tfy: Record<string, string> | undefined;
  beta: Record<string, string> | undefined;
  authorization: string | undefined;
  xApiKey: string | undefined;
  apiKey: string | undefined;
  requestId: string | undefined;
  origin: string | undefined;
  /** Undefined where none was sent; NaN where it is not a number. */
  contentLength: number | undefined;
  /** What is wrong with the head itself: the framing could be read in two ways. */
  fault: string | undefined;
  #hasTransferEncoding = false;

  constructor(request: HttpRequest) {
    request.forEach(this.#take);
    if (this.#hasTransferEncoding && this.contentLength !== undefined) {
      this.fault ??= 'content-length and transfer-encoding exclude each other';
    }
  }

  get hasBody(): boolean {
    return this.#hasTransferEncoding || (this.contentLength !== undefined && this.contentLength > 0);
  }

  #take = (name: string, value: string): void => {
    switch (name) {
      case 'authorization':
        this.authorization = value;
        return;
      case 'content-type':
        this.contentType = value;
        return;
      case 'content-length':
        // The addon takes the first of several; a proxy before us may take the last (request smuggling).
        if (this.contentLength !== undefined) this.fault = 'content-length is repeated';
        this.contentLength = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(this.contentLength)) this.fault = 'content-length is not a number';
        return;
      case 'transfer-encoding':
        // The addon reads anything that ends in "chunked" as chunked.
        if (value.toLowerCase() !== 'chunked' || this.#hasTransferEncoding) {
          this.fault = 'transfer-encoding may only be chunked';
        }
        this.#hasTransferEncoding = true;
        return;
      case 'x-api-key':
        this.xApiKey = value;
        return;
      case 'api-key':
        this.apiKey = value;
        return;
      case 'x-request-id':
        this.requestId = value;
        return;
      case 'accept':
        this.accept = value;
        return;
      case 'origin':
        this.origin = value;
        return;
      case 'traceparent':
        this.traceparent = value;
        return;
      case 'tracestate':
        this.tracestate = value;
        return;
      case 'idempotency-key':
        this.idempotencyKey = value;
        return;
      case 'openai-beta':
      case 'anthropic-beta':
      case 'anthropic-version':
        this.beta ??= {};
        this.beta[name] = value;
        return;
      default:
        if (name.startsWith('x-tfy-')) {
          this.tfy ??= {};
          this.tfy[name] = value;
        }
    }
  };
}
