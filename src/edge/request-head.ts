import type { HttpRequest } from 'uWebSockets.js';
import { decimal } from '../core/decimal.ts';
import type { HeadersOfInterest } from '../core/exchange.ts';

/** The names of each length, by length; undefined: no name has it. */
export type NamesByLength = readonly (readonly string[] | undefined)[];

export function namesByLength(names: readonly string[]): NamesByLength {
  const byLength: string[][] = [];
  for (const name of names) byLength[name.length] = [...(byLength[name.length] ?? []), name];
  return byLength;
}

/** What the gateway reads of a request's head, in one pass: each access to the addon's headers crosses into native code. */
export class RequestHead implements HeadersOfInterest {
  contentType: string | undefined;
  accept: string | undefined;
  traceparent: string | undefined;
  tracestate: string | undefined;
  idempotencyKey: string | undefined;
  range: string | undefined;
  query: string | undefined;
  lines: readonly string[] | undefined;
  tfy: Record<string, string> | undefined;
  forwardable: Record<string, string> | undefined;
  authorization: string | undefined;
  xApiKey: string | undefined;
  apiKey: string | undefined;
  /** The key in the headers of Google's and ElevenLabs' SDKs. */
  vendorKey: string | undefined;
  requestId: string | undefined;
  userAgent: string | undefined;
  /** In the order of its lines. */
  forwardedFor: string | undefined;
  /** The addon closes the connection behind the answer. */
  closes = false;
  /** As it was sent, without the query, which may hold a key. */
  readonly url: string;
  origin: string | undefined;
  /** Undefined where none was sent; NaN where it is not a number. */
  contentLength: number | undefined;
  contentEncoding: string | undefined;
  /** The fault of the head itself: the framing could be read in two ways. */
  fault: string | undefined;
  readonly #forwardableNames: NamesByLength;
  #hasTransferEncoding = false;
  #hasConnection = false;
  #host: string | undefined;

  constructor(request: HttpRequest, forwardable: NamesByLength) {
    this.#forwardableNames = forwardable;
    // One function for all heads: a closure per request would be garbage.
    taking = this;
    this.url = request.getUrl();
    request.forEach(take);
    if (this.#host === undefined) this.fault ??= 'host is missing';
    if (this.#hasTransferEncoding && this.contentLength !== undefined) {
      this.fault ??= 'content-length and transfer-encoding exclude each other';
    }
  }

  /** Reads all lines, for a route that passes the head on. */
  keepLines(request: HttpRequest): void {
    const lines: string[] = [];
    request.forEach((name, value) => {
      lines.push(name, value);
    });
    this.lines = lines;
  }

  get host(): string | undefined {
    return this.#host;
  }

  get hasBody(): boolean {
    return this.#hasTransferEncoding || (this.contentLength !== undefined && this.contentLength > 0);
  }

  /** Compares lengths first: names come as fresh strings, and comparing each with fifteen others takes measurable time. */
  take(name: string, value: string): void {
    switch (name.length) {
      case 4:
        if (name === 'host') this.#takeHost(value);
        return;
      case 5:
        if (name === 'range') this.range = value;
        return;
      case 6:
        if (name === 'accept') this.accept = value;
        else if (name === 'origin') this.origin = value;
        return;
      case 7:
        if (name === 'api-key') this.apiKey = this.#credential(name, value, this.apiKey);
        break;
      case 9:
        if (name === 'x-api-key') this.xApiKey = this.#credential(name, value, this.xApiKey);
        break;
      case 10:
        // The addon's own rule: by the length of the first such header, which only `close` has.
        if (name === 'connection' && !this.#hasConnection) {
          this.#hasConnection = true;
          this.closes = value.length === CLOSE.length;
          return;
        }
        if (name === 'user-agent') this.userAgent = value;
        else if (name === 'tracestate') this.tracestate = this.#forwarded(name, value);
        else if (name === 'xi-api-key') this.vendorKey = this.#credential(name, value, this.vendorKey);
        break;
      case 11:
        if (name === 'traceparent') this.traceparent = this.#forwarded(name, value);
        break;
      case 12:
        if (name === 'content-type') this.contentType = value;
        else if (name === 'x-request-id') this.requestId = value;
        break;
      case 13:
        if (name === 'authorization') this.authorization = this.#credential(name, value, this.authorization);
        break;
      case 14:
        if (name === 'content-length') this.#takeContentLength(value);
        else if (name === 'x-goog-api-key') this.vendorKey = this.#credential(name, value, this.vendorKey);
        break;
      case 15:
        if (name === 'x-forwarded-for') {
          this.forwardedFor = this.forwardedFor === undefined ? value : `${this.forwardedFor},${value}`;
        } else if (name === 'idempotency-key') this.idempotencyKey = this.#forwarded(name, value);
        break;
      case 16:
        if (name === 'content-encoding') this.#takeContentEncoding(value);
        break;
      case 17:
        if (name === 'transfer-encoding') this.#takeTransferEncoding(value);
        break;
    }
    if (this.#forwardableNames[name.length]?.includes(name)) {
      this.forwardable ??= {};
      this.forwardable[name] = this.#forwarded(name, value);
    }
    if (name.charCodeAt(0) === 0x6d && name.startsWith('mcp-param-')) {
      this.forwardable ??= {};
      this.forwardable[name] = this.#forwarded(name, value);
    }
    if (name.charCodeAt(0) === 0x78 && name.startsWith('x-tfy-')) {
      this.tfy ??= {};
      this.tfy[name] = value;
    }
  }

  /** A value that goes on to the provider must be a valid header value. */
  #forwarded(name: string, value: string): string {
    if (/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value))
      this.fault = `${name} holds a character that no header may`;
    return value;
  }

  /** A repeated credential is a fault: a proxy before us may have checked the other one. */
  #credential(name: string, value: string, earlier: string | undefined): string {
    if (earlier !== undefined) this.fault ??= `${name} is repeated`;
    return value;
  }

  /** RFC 9112 §3.2: a request with no host, several, or a malformed one is answered with 400. */
  #takeHost(value: string): void {
    if (this.#host !== undefined) this.fault ??= 'host is repeated';
    else if (!isHost(value)) this.fault ??= 'host is not a host name or address with an optional port';
    this.#host = value;
  }

  #takeContentLength(value: string): void {
    // The addon takes the first of several; a proxy before us may take the last (request smuggling).
    if (this.contentLength !== undefined) this.fault = 'content-length is repeated';
    this.contentLength = decimal(value);
    if (Number.isNaN(this.contentLength)) this.fault = 'content-length is not a number';
  }

  /** RFC 9110 §5.3: several lines are one list, in order. */
  #takeContentEncoding(value: string): void {
    this.contentEncoding = this.contentEncoding === undefined ? value : `${this.contentEncoding}, ${value}`;
  }

  #takeTransferEncoding(value: string): void {
    // The addon reads anything that ends in "chunked" as chunked.
    if (value.toLowerCase() !== 'chunked' || this.#hasTransferEncoding) {
      this.fault = 'transfer-encoding may only be chunked';
    }
    this.#hasTransferEncoding = true;
  }
}

const CLOSE = 'close';

/** RFC 3986 §3.2.2: an address in brackets or a registered name; an empty one names nobody (RFC 9110 §4.2.1). */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?$/;
const MAX_PORT = 65_535;
/** The latest host that was found good: nearly all requests name the same. */
let lastHost = '';

function isHost(value: string): boolean {
  if (value === lastHost && value !== '') return true;
  const match = HOST.exec(value);
  if (match === null || Number(match[1] ?? 0) > MAX_PORT) return false;
  lastHost = value;
  return true;
}

/** The head whose headers the addon passes to `take` now; it passes all of them before `forEach` returns. */
let taking: RequestHead;

function take(name: string, value: string): void {
  taking.take(name, value);
}
