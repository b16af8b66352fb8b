import { readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConsoleFiles } from '../console/console-files.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AdminApi, AdminOptions } from './admin/admin-api.ts';
import type { StreamedAnswer } from './admin/admin-route.ts';
import { type Answer, CLOSE, JSON_TYPE, refusal, refusalOf } from './answer.ts';
import type { ConsoleDoor } from './sessions/console-door.ts';

/** Read at every probe; the main thread keeps it true. */
export interface GatewayState {
  readonly relayThreads: number;
  readonly listeningThreads: number;
  readonly draining: boolean;
  /** Why new exchanges are refused with `ledger_full`; undefined: they are not. */
  readonly ledgerFull: string | undefined;
}

export interface OperatorOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** PEM files; absent: plain HTTP. */
  tls?: { readonly certFile: string; readonly keyFile: string };
  state: GatewayState;
  metrics: Pick<Metrics, 'contentType' | 'renderBytes'>;
  /** The document as JSON; made for the first who asks. */
  openapi(): Buffer | Promise<Buffer>;
  /** Absent: `/admin/…` does not exist. */
  admin?: AdminOptions;
  /** Absent: `/console/…` does not exist. */
  console?: ConsoleOptions;
  log?: Log;
}

export interface ConsoleOptions {
  /** Sign-in and sign-out; made when somebody first asks. */
  door(): Promise<ConsoleDoor>;
}

export interface Operator {
  readonly port: number;
  close(): Promise<void>;
}

type Route = (options: OperatorOptions) => Answer | Promise<Answer>;

/** Routes that need no key and take no body. */
const routes = new Map<string, Route>([
  ['/livez', () => ({ status: 200, type: JSON_TYPE, body: '{"status":"live"}' })],
  ['/readyz', ({ state }) => readiness(state)],
  ['/metrics', async ({ metrics }) => ({ status: 200, type: metrics.contentType, body: await metrics.renderBytes() })],
  ['/openapi.json', async ({ openapi }) => ({ status: 200, type: JSON_TYPE, body: await openapi() })],
]);

/**
 * The operator's own port, on the main thread: probes, metrics, the OpenAPI document. It is a small server for few
 * clients, so its bounds are narrow: 256 connections, 8 KiB of headers, 10 seconds for a request.
 */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const admin = options.admin && lazily(options.admin, options.log);
  const server = await serverOf(options, (request, response) => {
    answer(request, options, admin).then((found) => send(response, found));
  });
  server.maxConnections = 256;
  // A scraper that takes nothing of a large answer.
  server.setTimeout(30_000);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenFailure(options, cause)));
    server.listen(options.port, options.host, resolve);
  });
  const address: string | AddressInfo | null = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const BOUNDS: ServerOptions = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
};

async function serverOf({ tls }: OperatorOptions, listener: RequestListener): Promise<Server> {
  // An import would load Node's own undici with it, since that is among the exports: 10 MB and 50 ms.
  if (tls === undefined) return process.getBuiltinModule('node:http').createServer(BOUNDS, listener);
  try {
    const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
    return process.getBuiltinModule('node:https').createServer({ ...BOUNDS, cert, key }, listener);
  } catch (cause) {
    const { message } = cause instanceof Error ? cause : new Error(String(cause));
    const files = `${tls.certFile} and ${tls.keyFile} (operator.tls)`;
    throw new Error(`The operator port cannot speak TLS with ${files}: ${message}`, { cause });
  }
}

/** With a key it is loaded at once; without one, when somebody first asks. */
function lazily(options: AdminOptions, log: Log | undefined): () => Promise<AdminApi> {
  let opened: Promise<AdminApi> | undefined;
  const open = (): Promise<AdminApi> => {
    opened ??= import('./admin/admin-api.ts').then(({ AdminApi }) => new AdminApi(options, log));
    return opened;
  };
  if (options.key !== undefined) void open();
  return open;
}

async function answer(
  request: IncomingMessage,
  options: OperatorOptions,
  admin: (() => Promise<AdminApi>) | undefined,
): Promise<Answer> {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  try {
    if (admin && path.startsWith('/admin/')) {
      return await (await admin()).answer(request, path, mark === -1 ? '' : url.slice(mark));
    }
    if (options.console && (path === '/console' || path.startsWith('/console/'))) {
      return await consoleAnswer(request, options.console, path, mark === -1 ? '' : url.slice(mark));
    }
    const route = routes.get(path);
    // Nothing is read beyond this answer of a body that comes.
    const headers = request.method === 'GET' || request.method === 'HEAD' ? {} : CLOSE;
    if (route === undefined) return unknownPath(path, options, headers);
    if (headers === CLOSE) return refusal('method_not_allowed', { ...headers, allow: 'GET, HEAD' });
    return await route(options);
  } catch (cause) {
    options.log?.error({ code: 'internal_error', path: path.slice(0, 200), cause }, 'operator port failed');
    return refusal('internal_error', CLOSE);
  }
}

/** A browser that was given the port alone goes on to the console. */
function unknownPath(path: string, { console }: OperatorOptions, headers: Readonly<Record<string, string>>): Answer {
  if (path === '/' && console !== undefined && headers !== CLOSE) {
    return { status: 302, type: JSON_TYPE, body: '', headers: { location: '/console/' } };
  }
  const known = [...routes.keys(), ...(console === undefined ? [] : ['/console/'])].join(', ');
  const detail = `This is the port of the operator: it has ${known}; clients are served on the other port.`;
  return refusalOf(new GatewayError('path_not_found', { detail }), headers);
}

let consoleFiles: Promise<ConsoleFiles> | undefined;

/** Its code and its files are loaded by the first that asks for them. */
async function consoleFile(request: IncomingMessage, path: string): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusal('method_not_allowed', { ...CLOSE, allow: 'GET, HEAD' });
  }
  consoleFiles ??= import('../console/console-files.ts').then(({ ConsoleFiles }) => new ConsoleFiles());
  const files = await consoleFiles;
  const { 'accept-encoding': coding, 'if-none-match': ifNoneMatch } = request.headers;
  const acceptEncoding = Array.isArray(coding) ? coding.join() : coding;
  return (await files.answer({ path, acceptEncoding, ifNoneMatch })) ?? refusal('path_not_found');
}

async function consoleAnswer(
  request: IncomingMessage,
  { door }: ConsoleOptions,
  path: string,
  search: string,
): Promise<Answer> {
  const isDoor = path === '/console/session' || path.startsWith('/console/sign-in/');
  if (!isDoor) return consoleFile(request, path);
  const found = await (await door()).answer(request, path, search);
  return found ?? refusal('path_not_found', request.method === 'GET' || request.method === 'HEAD' ? {} : CLOSE);
}

function send(response: ServerResponse, { status, type, body, headers, stream }: Answer): void {
  if (stream !== undefined && response.req.method !== 'HEAD') {
    sendStream(response, status, stream);
    return;
  }
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

/** What a client that does not read leaves waiting; beyond it the stream is full. */
const MAX_WAITING_BYTES = 262_144;

/** Whatever ends first ends it once: the source, the answer, or the connection, whose queued answers hear nothing of that. */
function sendStream(response: ServerResponse, status: number, { type, headers, open }: StreamedAnswer): void {
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  response.flushHeaders();
  const { socket } = response.req;
  let isOver = false;
  let leave: (() => void) | undefined;
  const over = () => {
    if (isOver) return;
    isOver = true;
    socket.off('close', over);
    leave?.();
  };
  // A client that is gone: nobody is left to be told.
  response.on('error', over);
  response.once('close', over);
  socket.once('close', over);
  leave = open({
    get isFull() {
      return response.writableLength > MAX_WAITING_BYTES;
    },
    write: (text) => {
      if (!isOver) response.write(text);
    },
    end: () => {
      if (!isOver) response.end();
      over();
    },
  });
  if (isOver) leave();
  else if (socket.destroyed) over();
}

function readiness(state: GatewayState): Answer {
  const reason = unreadyReason(state);
  return reason === undefined
    ? { status: 200, type: JSON_TYPE, body: '{"status":"ready"}' }
    : { status: 503, type: JSON_TYPE, body: JSON.stringify({ status: 'not ready', reason }) };
}

function unreadyReason({ relayThreads, listeningThreads, draining, ledgerFull }: GatewayState): string | undefined {
  if (draining) return 'the gateway is draining';
  if (listeningThreads < relayThreads) return `${listeningThreads} of ${relayThreads} relay threads listen`;
  return ledgerFull;
}

function listenFailure({ host, port }: OperatorOptions, cause: Error): Error {
  const code = 'code' in cause ? cause.code : undefined;
  const why =
    code === 'EADDRINUSE'
      ? 'is in use: another gateway may be running; stop it, or set another operator.port'
      : `cannot be listened on (${String(code ?? cause.message)}): check operator.host and operator.port`;
  return new Error(`The operator port ${host}:${port} ${why}`, { cause });
}
