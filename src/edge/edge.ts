import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { _cfg, App, SSLApp, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js';
import { CONTENT_ENCODINGS, contentEncoding } from '../codec/content-decoder.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError, Principal } from '../core/exchange.ts';
import { requestLabel } from '../core/ids.ts';
import { Sweeper } from '../core/sweeper.ts';
import { inFlightFull, type SharedCounters } from '../threads/shared-counters.ts';
import { BodyBlocks } from './body-blocks.ts';
import { type RemoteSide, TrustedProxies } from './client-address.ts';
import { ClientConnections } from './client-connections.ts';
import { type Cors, makeCors } from './cors.ts';
import type { EdgeContext, OpenExchange } from './edge-context.ts';
import { EdgeExchange } from './edge-exchange.ts';
import { type AskedHead, type HeadAnswerOptions, HeadAnswers, type Refusal } from './head-answers.ts';
import { type NamesByLength, namesByLength, RequestHead } from './request-head.ts';
import { type PathMatch, type Route, type RouteTable, routeFor } from './routes.ts';
import { offeredProtocols, queryKey } from './socket-key.ts';
import { MAX_FORM_BYTES } from './streamed-body.ts';
import { type Handshake, type SocketRoute, WebSockets } from './web-sockets.ts';

export interface EdgeOptions extends HeadAnswerOptions {
  readonly settings: ServerSettings;
  readonly routes: RouteTable;
  /** The GET routes that may be upgraded to a WebSocket. */
  readonly sockets?: readonly SocketRoute[];
  /** Names of client headers that some provider takes, in lower case. */
  readonly forwardable: readonly string[];
  readonly counters: SharedCounters;
  /**
   * Finds the principal of the key on the head. Synchronous: no byte of a stranger's body is kept. `side` is valid until it
   * returns. `audience`: tokens that are good there alone are taken as well.
   */
  authenticate(head: RequestHead, side: RemoteSide, audience?: string): OrError<Principal>;
}

const RETRY_AFTER_MS = 1000;
/** How long an error event may take to leave after the drain deadline. */
const CUT_GRACE_MS = 500;

/** Sockets ↔ exchanges, for one relay thread: the only door to uWebSockets.js. */
export class Edge implements EdgeContext {
  settings: ServerSettings;
  readonly counters: SharedCounters;
  readonly blocks = new BodyBlocks();
  readonly open = new Sweeper<OpenExchange>();
  readonly connections: ClientConnections;
  readonly #options: EdgeOptions;
  readonly #app: TemplatedApp;
  readonly #answers: HeadAnswers;
  readonly #sockets: WebSockets;
  #forwardable: NamesByLength;
  readonly #proxies: TrustedProxies;
  #cors: Cors;
  #socket: us_listen_socket | undefined;
  #draining = false;
  #hintedMs = 0;
  #hint: readonly string[] = [];
  #onEmpty: (() => void) | undefined;

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.counters = options.counters;
    this.#forwardable = namesByLength(options.forwardable);
    this.#cors = makeCors(options.settings.cors);
    this.#proxies = new TrustedProxies(options.settings.listen.trustedProxies);
    // Switches off the header in which the addon names itself.
    _cfg('999999990007');
    const { tls } = options.settings.listen;
    this.#app = tls ? SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile }) : App();
    this.connections = new ClientConnections(this.#app, {
      keepAliveMs: () => this.settings.timeouts.keepAliveMs,
      lingerMs: () => this.settings.timeouts.bodyMs,
    });
    this.#sockets = new WebSockets(this.#app, {
      maxMessageBytes: () => this.settings.limits.maxBodyBytes,
      highWatermarkBytes: () => this.settings.limits.highWatermarkBytes,
      onUpgrade: this.#onUpgrade,
    });
    this.#answers = new HeadAnswers(this, options);
    this.#app.any('/*', this.#onRequest);
  }

  /** Shares the port with the other relay threads (SO_REUSEPORT). Resolves with the port, or undefined: it failed. */
  listen(host: string, port: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#app.listen(host, port, (socket) => {
        this.#socket = socket || undefined;
        resolve(socket ? us_socket_local_port(socket as never) : undefined);
      });
    });
  }

  /** Exchanges that begin from now on use these settings. */
  reconfigure(settings: ServerSettings, forwardable: readonly string[]): void {
    this.settings = settings;
    this.#cors = makeCors(settings.cors);
    this.#forwardable = namesByLength(forwardable);
  }

  /** Accepts nothing new; resolves when the last open exchange has ended. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#socket) us_listen_socket_close(this.#socket);
    this.#socket = undefined;
    const empty = new Promise<void>((resolve) => {
      if (this.open.size === 0) resolve();
      else this.#onEmpty = resolve;
    });
    await Promise.all([empty, this.#sockets.drain()]);
    // Idle connections too: a thread that ends with open sockets takes the process down with it. Their close callbacks
    // come in the next turn.
    this.#app.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The drain deadline: tells and cuts what is still open, and closes the connection of a client that takes not even that. */
  cutAll(): void {
    for (const exchange of this.open.items()) exchange.drainNow();
    this.#sockets.cut();
    setTimeout(() => {
      for (const exchange of this.open.items()) exchange.closeNow();
    }, CUT_GRACE_MS);
  }

  get closesAfterAnswer(): boolean {
    return this.#draining || this.settings.listen.closeAfterAnswer;
  }

  keepAliveHeaders(head: RequestHead): readonly string[] {
    const { keepAliveMs } = this.settings.timeouts;
    if (head.closes || keepAliveMs < 1000 || this.closesAfterAnswer) return [];
    if (keepAliveMs !== this.#hintedMs) {
      this.#hintedMs = keepAliveMs;
      this.#hint = ['connection', 'keep-alive', 'keep-alive', `timeout=${Math.floor(keepAliveMs / 1000)}`];
    }
    return this.#hint;
  }

  corsHeaders(origin: string | undefined): readonly string[] {
    return this.#cors.onAnswer(origin);
  }

  tooLarge(detail?: string): GatewayError {
    return new GatewayError('body_too_large', {
      detail,
      setting: `limits.max_body_bytes: ${this.settings.limits.maxBodyBytes}`,
    });
  }

  fileTooLarge(): GatewayError {
    return new GatewayError('body_too_large', {
      detail: 'A file may not be that large.',
      setting: `limits.max_file_bytes: ${this.settings.limits.maxFileBytes}`,
    });
  }

  refused(exchange: Exchange, error: GatewayError): void {
    const clientJson = exchange.clientJson();
    this.#options.onRefused({ ...pick(exchange), principal: exchange.principal, error, clientJson });
  }

  clientJson(head: RequestHead, side: RemoteSide): string {
    const address = this.#proxies.addressOf(side, head.forwardedFor);
    return JSON.stringify({ address, userAgent: cut(head.userAgent), path: cut(head.url) });
  }

  onLeft(): void {
    if (this.open.size === 0) this.#onEmpty?.();
  }

  #onRequest = (response: HttpResponse, request: HttpRequest): void => {
    const startedAt = performance.now();
    const method = request.getCaseSensitiveMethod();
    const head = new RequestHead(request, this.#forwardable);
    const { routes } = this.#options;
    const found = routes.match(head.url);
    const passing = routes.passing(found, method);
    const match = passing !== undefined && namesProvider(head, request) ? passing : found;
    const chosen = match && routeFor(match.routes, method);
    const route = chosen?.collected?.takes(head.contentType) ? chosen.collected.route : chosen;
    if (match === undefined || route === undefined || head.fault) {
      this.#refuseUnrouted({ response, head, method, path: match?.path ?? '', startedAt }, match);
      return;
    }
    if (head.hasBody && route.body === 'none') {
      // Some of these routes need no key, and no byte of a stranger's body is kept.
      const error = new GatewayError('invalid_header', { detail: `${method} takes no body here.` });
      this.#answers.refuse({ response, head, method, path: match.path, startedAt, route }, error, 'behind-body');
      return;
    }
    let principal: Principal = NOBODY;
    if (route.needsKey) {
      const known = this.#options.authenticate(head, this.#proxies.sideOf(response, head.forwardedFor));
      if (known instanceof GatewayError) {
        // RFC 9110 §11.6.1: a 401 names the scheme.
        const scheme = known.status === 401 ? ['www-authenticate', route.challenge?.(head) ?? 'Bearer'] : [];
        const asked = { response, head, method, path: match.path, startedAt, route };
        this.#answers.refuse(asked, known, 'behind-body', scheme);
        return;
      }
      principal = known;
    }
    const encoding = head.hasBody ? encodingFault(head, route) : undefined;
    if (encoding !== undefined) {
      const asked = { response, head, method, path: match.path, startedAt, route, principal };
      this.#answers.refuse(asked, encoding.error, 'by-client', encoding.headers);
      return;
    }
    if (route.readsQuery || route.passesHead) head.query = request.getQuery();
    if (route.passesHead) head.keepLines(request);
    const refusal = this.#fullOrTooLarge(head, route);
    if (refusal) {
      // A body that is too large goes on arriving, see `by-client` of Closing.
      const close = refusal.code === 'body_too_large' ? 'by-client' : 'behind-body-only';
      const asked = { response, head, method, path: match.path, startedAt, route, principal };
      this.#answers.refuse(asked, refusal, close);
      return;
    }
    new EdgeExchange(this, response, head, method, route, match.params, principal, startedAt).read();
  };

  /** Refuses a request that no route takes, or whose head is faulty; answers what a browser asks before its request. */
  #refuseUnrouted(asked: AskedHead, match: PathMatch | undefined): void {
    const { response, head, method } = asked;
    if (head.fault) {
      this.#answers.refuse(asked, new GatewayError('invalid_header', { detail: `${head.fault}.` }), 'at-once');
    } else if (match === undefined || match.routes.length === 0) {
      const error = match ? notYet(method, match.path) : this.#options.routes.unknown(head.url);
      this.#answers.refuse(asked, error, 'behind-body-only');
    } else if (method === 'OPTIONS' && this.#cors.enabled) {
      this.#answers.preflight(response, head, this.#cors.onPreflight(head.origin));
    } else {
      const allowed = allowedMethods(match.routes).join(', ');
      const error = new GatewayError('method_not_allowed', { detail: `Allowed: ${allowed}.` });
      this.#answers.refuse(asked, error, 'behind-body-only', ['allow', allowed]);
    }
  }

  /** Opens a socket for a request with a good key whose path has one; answers everything else as any request. */
  #onUpgrade = (response: HttpResponse, request: HttpRequest, handshake: Handshake): void => {
    const startedAt = performance.now();
    const head = new RequestHead(request, this.#forwardable);
    const match = this.#options.routes.match(head.url);
    const route = this.#options.sockets?.find(({ pattern }) => pattern === match?.path);
    if (route === undefined || head.fault || head.hasBody) {
      this.#onRequest(response, request);
      return;
    }
    head.query = request.getQuery();
    const { key, protocols } = offeredProtocols(handshake.protocol);
    head.vendorKey ??= key ?? queryKey(head.query);
    const principal = this.#draining
      ? new GatewayError('draining', { retryAfterMs: RETRY_AFTER_MS })
      : this.#options.authenticate(head, this.#proxies.sideOf(response, head.forwardedFor), route.audience);
    const asked = { response, head, method: 'GET', path: route.pattern, startedAt };
    if (principal instanceof GatewayError) {
      const scheme = principal.status === 401 ? ['www-authenticate', 'Bearer'] : [];
      this.#answers.refuse(asked, principal, 'at-once', scheme);
      return;
    }
    const shown = { ...handshake, protocol: protocols[0] ?? '' };
    this.#sockets.upgrade(response, (taker) => this.connections.arrives(taker, response), shown, {
      route,
      asked: {
        principal,
        headers: head,
        params: match?.params ?? {},
        protocols,
        requestId: requestLabel(head.requestId),
      },
      refuse: (error, taker) => this.#answers.refuseLater({ ...asked, principal }, error, taker),
    });
  };

  /** Takes a place in flight, unless it gives an error. */
  #fullOrTooLarge(head: RequestHead, { body, maxBodyBytes }: Route): GatewayError | undefined {
    if (this.#draining) return new GatewayError('draining', { retryAfterMs: RETRY_AFTER_MS });
    const { limits } = this.settings;
    if (body === 'stream') {
      if ((head.contentLength ?? 0) > limits.maxFileBytes + MAX_FORM_BYTES) return this.fileTooLarge();
    } else if (head.contentLength !== undefined) {
      if (maxBodyBytes !== undefined && head.contentLength > maxBodyBytes) return bodyTooLarge(maxBodyBytes);
      if (head.contentLength > limits.maxBodyBytes) return this.tooLarge();
    }
    return this.counters.enter(limits.maxInFlight) ? undefined : inFlightFull(limits.maxInFlight);
  }
}

/** The error of a route that bounds its body by itself. */
function bodyTooLarge(maxBytes: number): GatewayError {
  return new GatewayError('body_too_large', { detail: `At most ${maxBytes} bytes are taken here.` });
}

const NOBODY: Principal = { subject: '', keyId: '', teams: [], models: [], metadata: {} };

/** The part of a client's text that a log keeps. */
function cut(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_LOGGED);
}

const MAX_LOGGED = 300;

/** Whether a request names the account or the model whose provider it is for (docs/passthrough.md). */
function namesProvider({ tfy }: RequestHead, request: HttpRequest): boolean {
  if (tfy?.['x-tfy-provider-name'] !== undefined || tfy?.['x-tfy-model-name'] !== undefined) return true;
  return /(?:^|&)tfy(?:Provider|Model)Name=./.test(request.getQuery() ?? '');
}

/** Why a body in this content-encoding is not read; undefined: it is. */
function encodingFault(
  { contentEncoding: named }: RequestHead,
  { body }: Route,
): { error: GatewayError; headers: string[] } | undefined {
  const isKnown = contentEncoding(named) !== undefined;
  if (isKnown && (body !== 'stream' || named === undefined)) return undefined;
  const known = CONTENT_ENCODINGS.join(', ');
  const detail = isKnown
    ? 'A file is taken as it is, without a content-encoding.'
    : `The content-encoding may be ${known}, one alone.`;
  const error = new GatewayError('unsupported_encoding', { detail, param: 'content-encoding' });
  return { error, headers: isKnown ? [] : ['accept-encoding', known] };
}

function allowedMethods(routes: readonly Route[]): string[] {
  return routes.flatMap(({ method }) => (method === 'GET' ? [method, 'HEAD'] : [method]));
}

function notYet(method: string, path: string): GatewayError {
  return new GatewayError('not_supported_yet', { detail: `It is ${method} ${path.replace('{*', '{')}.` });
}

function pick(exchange: Exchange): Pick<Refusal, 'id' | 'requestId' | 'method' | 'path' | 'startedAt'> {
  const { id, requestId, method, path, startedAt } = exchange;
  return { id, requestId, method, path, startedAt };
}
