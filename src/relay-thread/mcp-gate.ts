import type { MessagePort } from 'node:worker_threads';
import { isObject, parseObject } from '../codec/json-value.ts';
import { epochMs } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Route } from '../edge/routes.ts';
import type { PipelineOptions, RefusedRequest } from '../pipeline.ts';
import type { Caller } from '../policy/caller.ts';
import { clientSettings } from '../policy/client-settings.ts';
import { recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type { FromMcpPort, McpConfiguration, McpOutcome, McpRequest, ToMcpPort } from '../threads/mcp-messages.ts';

export interface McpGateOptions {
  readonly configuration: McpConfiguration;
  readonly pipeline: PipelineOptions;
  /** What a client presented as its key. */
  keyOf(exchange: Exchange): string | undefined;
  /** A port to the thread of MCP is wanted; `connect` is called with it. */
  want(): void;
}

/** Headers of requests of MCP that the edge keeps. `mcp-param-…` it keeps by itself. */
export const MCP_HEADERS: readonly string[] = [
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
];

/** Where servers of MCP are: today's address, and those of earlier versions of the reference product. */
const SERVER_PATHS = [
  '/mcp/v1/{name}/mcp',
  '/mcp/v1/{group}/{name}/mcp',
  '/mcp/{name}/server',
  '/mcp/{group}/{name}/server',
  '/mcp-server/{group}/{name}/server',
  '/{tenant}/mcp/{name}/server',
];

interface Open {
  readonly exchange: Exchange;
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  /** A stream that only tells what changes: a stop of the gateway ends it at once. */
  lasting: boolean;
  over: boolean;
}

/** The relay thread's side of MCP: it owns the client's socket, and the thread of MCP (mcp-thread/) knows the protocol. */
export class McpGate {
  readonly #options: McpGateOptions;
  readonly #open = new Map<number, Open>();
  readonly #waiting: McpRequest[] = [];
  #configuration: McpConfiguration;
  #passesKeys: boolean;
  #port: MessagePort | undefined;
  #next = 1;

  constructor(options: McpGateOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#passesKeys = passesKeys(options.configuration);
  }

  routes(): Route[] {
    const route = (pattern: string, method: Route['method'], named: boolean): Route => ({
      pattern,
      method,
      needsKey: true,
      body: method === 'POST' ? 'whole' : 'none',
      errorBody: rpcErrorBody,
      handle: (exchange) => this.#handle(exchange, named ? serverOf(exchange) : undefined),
    });
    return (['POST', 'GET', 'DELETE'] as const).flatMap((method) => [
      ...SERVER_PATHS.map((pattern) => route(pattern, method, true)),
      route('/mcp', method, false),
    ]);
  }

  reconfigure(configuration: McpConfiguration): void {
    this.#configuration = configuration;
    this.#passesKeys = passesKeys(configuration);
  }

  connect(port: MessagePort): void {
    this.#port = port;
    port.on('message', (message: FromMcpPort) => this.#hear(message));
    port.on('close', () => this.#lost(port));
    for (const request of this.#waiting.splice(0)) this.#post({ type: 'request', request });
  }

  /** The gateway stops: streams that would never end by themselves end now. */
  drain(): void {
    for (const [id, open] of this.#open) {
      if (!open.lasting) continue;
      open.exchange.sink.end();
      this.#post({ type: 'abort', id });
      this.#finish(id, open, { failed: false, upstreamMs: 0 });
    }
  }

  close(): void {
    this.#port?.close();
    this.#port = undefined;
  }

  #handle(exchange: Exchange, server: string | undefined): void {
    const { snapshot, refusal } = this.#options.pipeline;
    const caller = snapshot().callers.of(exchange.principal);
    const request = refusal() ?? this.#read(exchange, server, caller);
    if (request instanceof GatewayError) {
      this.#refuse(exchange, request, {});
      return;
    }
    const open: Open = { exchange, caller, metadata: request.caller.metadata, lasting: false, over: false };
    this.#open.set(request.id, open);
    exchange.onAbort = () => {
      this.#post({ type: 'abort', id: request.id });
      this.#finish(request.id, open, { failed: false, upstreamMs: 0 });
    };
    exchange.sink.onDrained = () => this.#post({ type: 'full', id: request.id, full: false });
    exchange.releaseBody();
    if (this.#port) this.#post({ type: 'request', request });
    else {
      if (this.#waiting.length === 0) this.#options.want();
      this.#waiting.push(request);
    }
  }

  #read(exchange: Exchange, server: string | undefined, caller: Caller): OrError<McpRequest> {
    const { headers, method } = exchange;
    const { cors, mcp } = this.#configuration.server;
    const { origin } = headers;
    if (origin !== undefined && cors?.allowedOrigins.includes('*') !== true && !cors?.allowedOrigins.includes(origin)) {
      // DNS rebinding: a page of anybody's could otherwise speak to a gateway on this machine.
      return new GatewayError('origin_forbidden', { detail: `The origin is \`${origin.slice(0, 100)}\`.` });
    }
    if (exchange.body.length > mcp.maxMessageBytes) {
      return new GatewayError('body_too_large', { setting: `mcp.max_message_bytes: ${mcp.maxMessageBytes}` });
    }
    const client = clientSettings(headers);
    if (client instanceof GatewayError) return client;
    const serverHeaders = readServerHeaders(headers.tfy?.['x-tfy-mcp-headers']);
    if (serverHeaders instanceof GatewayError) return serverHeaders;
    const kept = headers.forwardable ?? {};
    const id = this.#next;
    this.#next += 1;
    return {
      id,
      method: method === 'DELETE' || method === 'POST' ? method : 'GET',
      server,
      body: exchange.body.toString(),
      headers: {
        accept: headers.accept,
        session: kept['mcp-session-id'],
        version: kept['mcp-protocol-version'],
        method: kept['mcp-method'],
        name: kept['mcp-name'],
        lastEventId: kept['last-event-id'],
        parameters: parametersIn(kept),
      },
      caller: {
        subject: caller.principal.subject,
        subjects: [...caller.subjects],
        metadata: requestMetadata(client.metadata, caller),
        key: this.#passesKeys ? this.#options.keyOf(exchange) : undefined,
      },
      serverHeaders,
    };
  }

  #hear(message: FromMcpPort): void {
    const open = this.#open.get(message.id);
    if (!open) return;
    const { exchange } = open;
    const { sink } = exchange;
    switch (message.type) {
      case 'answer': {
        const headers = [...message.headers];
        exchange.pushOwnHeaders(headers, message.outcome.upstreamMs);
        sink.start(message.status, headers);
        if (message.body === '') sink.end();
        else sink.end(Buffer.from(message.body));
        this.#finish(message.id, open, message.outcome, message.status);
        return;
      }
      case 'begin': {
        open.lasting = message.lasting;
        const headers = [...message.headers];
        exchange.pushOwnHeaders(headers, 0);
        sink.start(message.status, headers);
        return;
      }
      case 'chunk':
        if (!sink.write(Buffer.from(message.text))) this.#post({ type: 'full', id: message.id, full: true });
        return;
      case 'end':
        sink.end();
        this.#finish(message.id, open, message.outcome);
    }
  }

  /** The thread of MCP ended: what it was at is lost, and the next request begins another. */
  #lost(port: MessagePort): void {
    if (this.#port !== port) return;
    this.#port = undefined;
    for (const [id, open] of this.#open) {
      this.#open.delete(id);
      if (open.over) continue;
      open.over = true;
      this.#refuse(open.exchange, new GatewayError('mcp_unavailable', { retryAfterMs: 1000 }), {});
    }
  }

  #post(message: ToMcpPort): void {
    this.#port?.postMessage(message);
  }

  #refuse(exchange: Exchange, error: GatewayError, request: Partial<RefusedRequest>): void {
    exchange.refuse(error, error.context.headers);
    this.#options.pipeline.refused(exchange, error, { model: undefined, ...request });
    exchange.finish();
  }

  #finish(id: number, open: Open, outcome: McpOutcome, status = 200): void {
    this.#open.delete(id);
    if (open.over) return;
    open.over = true;
    const { exchange, caller, metadata } = open;
    const { pipeline } = this.#options;
    const { principal, aborted } = exchange;
    const durationMs = performance.now() - exchange.startedAt;
    const metadataJson = recordedMetadata(metadata, this.#configuration.server);
    const left = aborted !== undefined;
    pipeline.record({
      id: exchange.id,
      requestId: exchange.requestId,
      startedAt: epochMs(exchange.startedAt),
      durationMs,
      thread: pipeline.thread,
      method: exchange.method,
      path: exchange.path,
      status: left ? 499 : status,
      outcome: left ? 'client-closed' : outcome.failed ? 'error' : 'ok',
      subject: principal.subject,
      keyId: principal.keyId,
      stream: open.lasting,
      attempts: outcome.server === undefined ? 0 : 1,
      upstreamMs: outcome.upstreamMs,
      overheadMs: Math.max(0, exchange.startedAt + durationMs - exchange.bodyReadAt - outcome.upstreamMs),
      bytesIn: exchange.bytesIn,
      bytesOut: exchange.sink.bytesOut,
      provider: 'mcp',
      ...(outcome.server !== undefined && { target: outcome.server }),
      ...(outcome.tool !== undefined && { model: toolModel(outcome.server ?? '', outcome.tool) }),
      ...(outcome.failed && { errorCode: 'mcp_call_failed' }),
      ...(outcome.detail !== undefined && { errorDetail: outcome.detail.slice(0, MAX_DETAIL) }),
      ...(caller.teamsJson !== undefined && { teamsJson: caller.teamsJson }),
      ...(metadataJson !== undefined && { metadataJson }),
    });
    exchange.finish();
  }
}

const MAX_DETAIL = 500;

/** How a tool stands where models stand: in records, metrics and rules. No account has a colon in its name. */
export function toolModel(server: string, tool: string): string {
  return `mcp:${server}/${tool.slice(0, 128)}`;
}

function serverOf({ params: { group, name = '' } }: Exchange): string {
  return group === undefined ? name : `${group}/${name}`;
}

function passesKeys({ mcpServers }: McpConfiguration): boolean {
  return mcpServers.some((server) => 'auth' in server && server.auth.type === 'passthrough');
}

const PARAMETER = 'mcp-param-';

function parametersIn(kept: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(kept).filter(([name]) => name.startsWith(PARAMETER));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(PARAMETER.length), value]));
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,16384}$/;

/** `{"<server>": {"Authorization": "Bearer …"}}`. What is wrong with it is told without its values. */
function readServerHeaders(text: string | undefined): OrError<McpRequest['serverHeaders']> {
  if (text === undefined) return {};
  const invalid = (detail: string): GatewayError =>
    new GatewayError('invalid_header', { param: 'x-tfy-mcp-headers', detail: `\`x-tfy-mcp-headers\`: ${detail}` });
  const written = parseObject(text);
  if (!written) return invalid('It must be a JSON object of objects.');
  const all: Record<string, Record<string, string>> = Object.create(null);
  for (const [server, headers] of Object.entries(written)) {
    if (!isObject(headers)) return invalid('It must be a JSON object of objects.');
    const own: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (!HEADER_NAME.test(name) || typeof value !== 'string' || !HEADER_VALUE.test(value)) {
        return invalid('It holds what cannot be a header.');
      }
      own[name.toLowerCase()] = value;
    }
    all[server] = own;
  }
  return { ...all };
}

/** Before a message was understood: an error of JSON-RPC for no request in particular. */
function rpcErrorBody(error: GatewayError): Uint8Array {
  const data = { code: error.code, type: error.rule.type };
  return Buffer.from(
    JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32_000, message: error.message, data } }),
  );
}
