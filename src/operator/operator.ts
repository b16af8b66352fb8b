import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ErrorCode, GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Read at every probe; the main thread keeps it true. */
export interface GatewayState {
  readonly relayThreads: number;
  readonly listeningThreads: number;
  readonly draining: boolean;
}

export interface OperatorOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  state: GatewayState;
  metrics: Pick<Metrics, 'contentType' | 'render'>;
  /** The document as JSON. */
  openapi: Buffer;
  log?: Log;
}

export interface Operator {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  type: string;
  body: Buffer | string;
}

type Route = (options: OperatorOptions) => Answer | Promise<Answer>;

const json = 'application/json';

/** There is no admin route yet; with or without a key `/admin/…` does not exist. */
const routes = new Map<string, Route>([
  ['/livez', () => ({ status: 200, type: json, body: '{"status":"live"}' })],
  ['/readyz', ({ state }) => readiness(state)],
  ['/metrics', async ({ metrics }) => ({ status: 200, type: metrics.contentType, body: await metrics.render() })],
  ['/openapi.json', ({ openapi }) => ({ status: 200, type: json, body: openapi })],
]);

/**
 * The operator's own port, on the main thread: probes, metrics, the OpenAPI document. It is a small server for few
 * clients, so its bounds are narrow: 256 connections, 8 KiB of headers, 10 seconds for a request.
 */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      answer(request, options).then((found) => send(request, response, found));
    },
  );
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

async function answer(request: IncomingMessage, options: OperatorOptions): Promise<Answer & { allow?: string }> {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  const route = routes.get(query === -1 ? url : url.slice(0, query));
  if (route === undefined) return refusal('path_not_found');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...refusal('method_not_allowed'), allow: 'GET, HEAD' };
  }
  try {
    return await route(options);
  } catch (cause) {
    options.log?.error({ code: 'internal_error', path: url.slice(0, 200), cause }, 'operator port failed');
    return refusal('internal_error');
  }
}

function send(request: IncomingMessage, response: ServerResponse, found: Answer & { allow?: string }): void {
  const { status, type, body, allow } = found;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(allow === undefined ? {} : { allow }),
    // No route takes a body; of one that comes nothing is read beyond this answer.
    ...(request.method === 'GET' || request.method === 'HEAD' ? {} : { connection: 'close' }),
  });
  response.end(body);
}

function readiness(state: GatewayState): Answer {
  const reason = unreadyReason(state);
  return reason === undefined
    ? { status: 200, type: json, body: '{"status":"ready"}' }
    : { status: 503, type: json, body: JSON.stringify({ status: 'not ready', reason }) };
}

function unreadyReason({ relayThreads, listeningThreads, draining }: GatewayState): string | undefined {
  if (draining) return 'the gateway is draining';
  if (listeningThreads < relayThreads) return `${listeningThreads} of ${relayThreads} relay threads listen`;
  return undefined;
}

function refusal(code: ErrorCode): Answer {
  const error = new GatewayError(code);
  const body = { error: { message: error.message, type: error.rule.type, code, param: null } };
  return { status: error.status, type: json, body: JSON.stringify(body) };
}

function listenFailure({ host, port }: OperatorOptions, cause: Error): Error {
  const code = 'code' in cause ? cause.code : undefined;
  const why =
    code === 'EADDRINUSE'
      ? 'is in use: another gateway may be running; stop it, or set another operator.port'
      : `cannot be listened on (${String(code ?? cause.message)}): check operator.host and operator.port`;
  return new Error(`The operator port ${host}:${port} ${why}`, { cause });
}
