import type { MessagePort } from 'node:worker_threads';
import { isObject, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { epochMs } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { exchangeId } from '../core/ids.ts';
import type { Route } from '../edge/routes.ts';
import type { GuardSession } from '../guardrails/session.ts';
import { type Admission, type Limits, NO_LIMITS, NOTHING_HELD, Refused } from '../limits/admission.ts';
import { toolModel } from '../limits/tool-rules.ts';
import { SERVER_PATHS } from '../mcp/clients/addresses.ts';
import type { PipelineOptions, RefusedRequest } from '../pipeline/pipeline-options.ts';
import type { Caller } from '../policy/caller.ts';
import { clientSettings } from '../policy/client-settings.ts';
import { recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type {
  FromMcpPort,
  McpGateConfiguration,
  McpHold,
  McpHoldEnd,
  McpOutcome,
  McpPageAnswer,
  McpPageRequest,
  McpRequest,
  ToMcpPort,
} from '../threads/mcp-messages.ts';
import { mcpChallenge, publicBase, readAccounts } from './oauth-routes.ts';
import { ToolCosts } from './tool-costs.ts';
import { GuardedEvents, guardArguments, guardResult, openToolGuards } from './tool-guards.ts';

export interface McpGateOptions {
  readonly configuration: McpGateConfiguration;
  /** Limits of tools (limits/tool-rules.ts). */
  limits(configuration: McpGateConfiguration): Limits;
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
  'x-sluice-mcp-accounts',
];

/** Why a request of the gateway's own has no result. */
export class McpFailure {
  readonly message: string;
  /** Where the gateway says so: a word of its errors. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    this.message = message;
    this.code = code;
  }
}

/** A request that the gateway itself makes on behalf of a caller, with the same checks as one of a client. */
export interface LocalMcpRequest {
  readonly exchange: Exchange;
  readonly server: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly serverHeaders: McpRequest['serverHeaders'];
  /** Once. */
  onAnswer(answer: JsonObject | McpFailure): void;
  /** What it cost, integer nano-dollars, where a price is known. */
  onCost?(nanoUsd: number): void;
}

/** What stands behind an open request: a client's exchange, or the gateway itself. */
type Asker = { readonly sink: Exchange['sink'] } | Pick<LocalMcpRequest, 'onAnswer' | 'onCost'>;

interface Open {
  readonly exchange: Exchange;
  readonly asker: Asker;
  readonly bytesIn: number;
  readonly startedAt: number;
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  /** A stream that only tells what changes: a stop of the gateway ends it at once. */
  lasting: boolean;
  over: boolean;
  /** Settled with the end. */
  admission: Admission;
  /** Integer nano-dollars of the tool that is called; undefined: no price is known. */
  costNanoUsd: number | undefined;
  /** Calls that the request makes in turn, by number; undefined: none yet. */
  nested: Map<number, Nested> | undefined;
  /** Of a call of a tool that guards read. */
  guard?: GuardSession;
  /** The request, parsed, where guards of the answer may want it. */
  request?: JsonObject;
  /** Of an answer that is a stream. */
  events?: GuardedEvents;
}

interface Nested {
  readonly hold: McpHold;
  readonly startedAt: number;
  readonly admission: Admission;
}

/** The relay thread's side of MCP: it owns the client's socket, and the thread of MCP (mcp-thread/) knows the protocol. */
export class McpGate {
  readonly #options: McpGateOptions;
  readonly #open = new Map<number, Open>();
  readonly #waiting: ToMcpPort[] = [];
  readonly #pages = new Map<number, (answer: McpPageAnswer | undefined) => void>();
  #configuration: McpGateConfiguration;
  #limits: Limits;
  #costs: ToolCosts;
  #passesKeys: boolean;
  #port: MessagePort | undefined;
  #next = 1;

  constructor(options: McpGateOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#limits = options.limits(options.configuration);
    this.#costs = new ToolCosts(options.configuration.mcpServers);
    this.#passesKeys = passesKeys(options.configuration);
  }

  routes(): Route[] {
    const route = (pattern: string, method: Route['method'], named: boolean): Route => ({
      pattern,
      method,
      needsKey: true,
      body: method === 'POST' ? 'whole' : 'none',
      errorBody: rpcErrorBody,
      challenge: (head) => mcpChallenge(this.#configuration.server, head),
      handle: (exchange) => this.#handle(exchange, named ? serverOf(exchange) : undefined),
    });
    return (['POST', 'GET', 'DELETE'] as const).flatMap((method) => [
      ...SERVER_PATHS.map((pattern) => route(pattern, method, true)),
      route('/mcp', method, false),
    ]);
  }

  reconfigure(configuration: McpGateConfiguration): void {
    this.#configuration = configuration;
    this.#limits = this.#options.limits(configuration);
    this.#costs = new ToolCosts(configuration.mcpServers);
    this.#passesKeys = passesKeys(configuration);
  }

  connect(port: MessagePort): void {
    this.#port = port;
    port.on('message', (message: FromMcpPort) => this.#hear(message));
    port.on('close', () => this.#lost(port));
    for (const message of this.#waiting.splice(0)) this.#post(message);
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

  /** What a browser asks, or a client that wants a token. Undefined: the thread of MCP ended meanwhile. */
  page(request: Omit<McpPageRequest, 'id'>, onAnswer: (answer: McpPageAnswer | undefined) => void): void {
    const id = this.#next;
    this.#next += 1;
    this.#pages.set(id, onAnswer);
    this.#enqueue({ type: 'page', request: { ...request, id } });
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
    const open = openOf(exchange, exchange, caller, request);
    this.#open.set(request.id, open);
    exchange.onAbort = (reason) => {
      this.#post({ type: 'abort', id: request.id });
      if (reason === 'drain') exchange.refuse(new GatewayError('draining', { retryAfterMs: 1000 }));
      this.#finish(request.id, open, { failed: false, upstreamMs: 0 });
    };
    exchange.sink.onDrained = () => this.#post({ type: 'full', id: request.id, full: false });
    exchange.releaseBody();
    this.#admit(open, request);
  }

  /** Gives what cancels it. Its record is one of its own, under the request id of the exchange. */
  ask(local: LocalMcpRequest): () => void {
    const { exchange, server, method, params, serverHeaders, onAnswer } = local;
    const caller = this.#options.pipeline.snapshot().callers.of(exchange.principal);
    const read = this.#read(exchange, server, caller);
    if (read instanceof GatewayError) {
      setImmediate(() => onAnswer(new McpFailure(read.message, read.code)));
      return () => undefined;
    }
    const version = '2026-07-28';
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'sluice-agent', version: '1' },
    };
    const { name } = params;
    const request: McpRequest = {
      ...read,
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
      headers: {
        accept: 'application/json',
        session: undefined,
        version,
        method,
        name: typeof name === 'string' ? `=?base64?${Buffer.from(name).toString('base64')}?=` : undefined,
        lastEventId: undefined,
        parameters: {},
      },
      serverHeaders: { ...read.serverHeaders, ...serverHeaders },
    };
    const open = openOf(exchange, local, caller, request);
    this.#open.set(request.id, open);
    this.#admit(open, request);
    return () => {
      const open = this.#open.get(request.id);
      if (!open) return;
      this.#post({ type: 'abort', id: request.id });
      this.#finish(request.id, open, { failed: true, upstreamMs: 0, detail: 'cancelled' });
    };
  }

  /** A call of a tool is held against the limits that name it; of one of a joint server the thread of MCP asks for it. */
  #admit(open: Open, request: McpRequest): void {
    const { server } = request;
    const tool = server === undefined || this.#costs.isJoint(server) ? undefined : toolIn(request.body);
    if (server === undefined || tool === undefined) {
      this.#guarded(open, request);
      return;
    }
    open.costNanoUsd = this.#costs.of(server, tool);
    const admitted = this.#admission(open, [{ server, tool }], open.costNanoUsd);
    if (admitted instanceof Promise) {
      admitted.then(
        (each) => this.#admitted(open, request, each),
        (cause: unknown) =>
          this.#refuseOpen(request.id, open, new GatewayError('internal_error', { cause }), request.body),
      );
    } else this.#admitted(open, request, admitted);
  }

  /** `called`: the name that the client used first, that of the tool's own server last. */
  #admission(
    { caller, metadata, bytesIn: bodyBytes }: Open,
    called: McpHold['called'],
    costNanoUsd: number | undefined,
  ): ReturnType<Limits['admit']> {
    if (this.#limits === NO_LIMITS) return NOTHING_HELD;
    const [model = '', ...names] = called.map(({ server, tool }) => toolModel(server, tool));
    const nothing = { maxOutputTokens: undefined, choices: 1, stream: false, downgradedBy: undefined };
    return this.#limits.admit({
      caller,
      model,
      names,
      target: undefined,
      costNanoUsd,
      bodyBytes,
      metadata,
      ...nothing,
    });
  }

  async #hold(id: number, open: Open, hold: McpHold): Promise<void> {
    const { number, called, costNanoUsd, nested } = hold;
    const startedAt = performance.now();
    const answer = { type: 'held', id, number } as const;
    let admission: Admission | Refused;
    try {
      admission = await this.#admission(open, called, costNanoUsd);
    } catch (cause) {
      // A bug of the limits must not let the call pass uncounted.
      admission = new Refused(new GatewayError('internal_error', { cause }));
    }
    if (admission instanceof Refused) {
      const { message, code, context } = admission.error;
      const { retryAfterMs } = context;
      this.#post({ ...answer, refused: { message, code, ...(retryAfterMs !== undefined && { retryAfterMs }) } });
      return;
    }
    if (open.over) {
      settle(admission, undefined);
      return;
    }
    if (nested) {
      open.nested ??= new Map();
      open.nested.set(number, { hold, startedAt, admission });
    } else open.admission = admission;
    this.#post(answer);
  }

  /** A call of many that one request makes has a record of its own, under the same request id. */
  #release(open: Open, number: number, end: McpHoldEnd): void {
    const nested = open.nested?.get(number);
    if (!nested) return;
    open.nested?.delete(number);
    const { hold, startedAt, admission } = nested;
    settle(admission, hold.costNanoUsd ?? 0);
    if ('onAnswer' in open.asker && hold.costNanoUsd !== undefined) open.asker.onCost?.(hold.costNanoUsd);
    const [called] = hold.called;
    const durationMs = performance.now() - startedAt;
    this.#options.pipeline.record({
      ...this.#recordOf(open, admission, hold.costNanoUsd),
      id: exchangeId(),
      startedAt: epochMs(startedAt),
      durationMs,
      status: 200,
      outcome: end.failed ? 'error' : 'ok',
      stream: false,
      attempts: 1,
      upstreamMs: end.upstreamMs,
      overheadMs: Math.max(0, durationMs - end.upstreamMs),
      bytesIn: hold.bytesIn,
      bytesOut: end.bytesOut,
      ...(called && { target: called.server, model: toolModel(called.server, called.tool) }),
      ...failureOf(end),
    });
  }

  #admitted(open: Open, request: McpRequest, admitted: Admission | Refused): void {
    if (admitted instanceof Refused) {
      this.#refuseOpen(request.id, open, admitted.error, request.body);
      return;
    }
    open.admission = admitted;
    // The client may have left meanwhile.
    if (open.over) settle(admitted, undefined);
    else this.#guarded(open, request);
  }

  /** Guards read what a tool is called with, before it is. */
  #guarded(open: Open, request: McpRequest): void {
    const { guardrails } = this.#options.pipeline.snapshot();
    const tool = guardrails && toolIn(request.body);
    if (guardrails === undefined || tool === undefined) {
      this.#send(request);
      return;
    }
    const { exchange, caller, metadata } = open;
    const client = clientSettings(exchange.headers);
    const asked = client instanceof GatewayError ? undefined : client.guardrails;
    const { server } = request;
    // Behind these one of several servers answers, and which is known later.
    const isJoint = server === undefined || this.#costs.isJoint(server);
    const call = { exchange, caller, metadata, server: server ?? 'all', tool, isJoint, asked };
    const session = openToolGuards(guardrails, call);
    if (session instanceof GatewayError) this.#refuseOpen(request.id, open, session, request.body);
    else if (session === undefined) this.#send(request);
    else this.#sendGuarded(open, request, session);
  }

  #sendGuarded(open: Open, request: McpRequest, session: GuardSession): void {
    open.guard = session;
    open.request = parseObject(request.body) ?? {};
    const failed = (cause: unknown) => new GatewayError('internal_error', { cause });
    void guardArguments(session, request.body)
      .catch(failed)
      .then((body) => {
        if (open.over) return;
        if (!(body instanceof GatewayError)) this.#send({ ...request, body });
        else {
          settle(open.admission, undefined);
          this.#refuseOpen(request.id, open, body, request.body);
        }
      });
  }

  /** `body`: what is refused, where it is known. */
  #refuseOpen(id: number, open: Open, error: GatewayError, body?: string): void {
    this.#open.delete(id);
    if (open.over) return;
    open.over = true;
    open.guard?.close();
    if ('onAnswer' in open.asker) {
      if (open.guard) this.#recordGuarded(open, open.guard, error);
      open.asker.onAnswer(new McpFailure(error.message, error.code));
    } else
      this.#refuse(open.exchange, body === undefined ? error : withRpcId(error, body), {
        guardrailsJson: open.guard?.json,
      });
  }

  /** Of a call that the gateway makes itself: its own record says who refused it. */
  #recordGuarded(open: Open, guard: GuardSession, error: GatewayError): void {
    const durationMs = performance.now() - open.startedAt;
    this.#options.pipeline.record({
      ...this.#recordOf(open, open.admission, undefined),
      id: exchangeId(),
      startedAt: epochMs(open.startedAt),
      durationMs,
      overheadMs: durationMs,
      status: error.status,
      outcome: 'error',
      errorCode: error.code,
      errorDetail: error.recordedDetail('keep'),
      model: guard.exchange.model,
      stream: false,
      attempts: 0,
      upstreamMs: 0,
      bytesIn: open.bytesIn,
      bytesOut: 0,
      ...(guard.json !== undefined && { guardrailsJson: guard.json }),
    });
  }

  #send(request: McpRequest): void {
    this.#enqueue({ type: 'request', request });
  }

  #enqueue(message: ToMcpPort): void {
    if (this.#port) this.#post(message);
    else {
      if (this.#waiting.length === 0) this.#options.want();
      this.#waiting.push(message);
    }
  }

  #read(exchange: Exchange, server: string | undefined, caller: Caller): OrError<McpRequest> {
    const { headers, method } = exchange;
    const { cors, mcp, listen } = this.#configuration.server;
    const { origin } = headers;
    const allowed = cors?.allowedOrigins ?? [];
    const isOwn = isLoopback(listen.host) && isLoopback(hostOf(origin));
    if (origin !== undefined && !isOwn && !allowed.includes('*') && !allowed.includes(origin)) {
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
    const accounts = readAccounts(kept['x-sluice-mcp-accounts']);
    if (typeof accounts === 'string') {
      const param = 'x-sluice-mcp-accounts';
      return new GatewayError('invalid_header', { param, detail: `\`${param}\`: ${accounts}` });
    }
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
        base: publicBase(this.#configuration.server, headers),
        ...(accounts && { accounts }),
      },
      holds: this.#limits !== NO_LIMITS && this.#costs.isJoint(server),
      serverHeaders,
    };
  }

  #hear(message: FromMcpPort): void {
    if (message.type === 'page') {
      this.#pages.get(message.id)?.(message.answer);
      this.#pages.delete(message.id);
      return;
    }
    const open = this.#open.get(message.id);
    if (!open) return;
    if (message.type === 'hold') {
      void this.#hold(message.id, open, message.hold);
      return;
    }
    if (message.type === 'release') {
      this.#release(open, message.number, message.end);
      return;
    }
    const { exchange, asker } = open;
    if ('onAnswer' in asker) {
      if (message.type !== 'answer') return;
      this.#guardAnswer(open, message.body, (body) => {
        this.#finish(message.id, open, message.outcome, message.status);
        asker.onAnswer(resultIn(body));
      });
      return;
    }
    const { sink } = asker;
    switch (message.type) {
      case 'answer': {
        const headers = [...message.headers];
        this.#guardAnswer(open, message.body, (body) => {
          exchange.pushOwnHeaders(headers, message.outcome.upstreamMs);
          sink.start(message.status, headers);
          if (body === '') sink.end();
          else sink.end(Buffer.from(body));
          this.#finish(message.id, open, message.outcome, message.status);
        });
        return;
      }
      case 'begin': {
        open.lasting = message.lasting;
        const headers = [...message.headers];
        exchange.pushOwnHeaders(headers, 0);
        sink.start(message.status, headers);
        if (open.guard && !message.lasting) open.events = this.#guardEvents(open, open.guard, sink, message.id);
        return;
      }
      case 'chunk':
        if (open.events) {
          if (!open.events.push(message.text)) sink.cut();
        } else if (!sink.write(Buffer.from(message.text))) this.#post({ type: 'full', id: message.id, full: true });
        return;
      case 'end': {
        const over = (): void => {
          sink.end();
          this.#finish(message.id, open, message.outcome);
        };
        if (open.events) open.events.end().then(over, () => sink.cut());
        else over();
      }
    }
  }

  #guardEvents(open: Open, session: GuardSession, sink: Exchange['sink'], id: number): GuardedEvents {
    const { maxMessageBytes } = this.#configuration.server.mcp;
    const write = (text: string): void => {
      if (!sink.write(Buffer.from(text))) this.#post({ type: 'full', id, full: true });
    };
    return new GuardedEvents((message) => guardResult(session, message, open.request ?? {}), write, maxMessageBytes);
  }

  #guardAnswer(open: Open, body: string, done: (body: string) => void): void {
    const { guard } = open;
    if (guard === undefined || body === '') {
      done(body);
      return;
    }
    const failed = (cause: unknown): string => {
      this.#options.pipeline.log.error({ exchange: open.exchange.id, error: cause }, 'guards of a tool failed');
      return String(rpcErrorBody(new GatewayError('internal_error')));
    };
    void guardResult(guard, body, open.request ?? {})
      .catch(failed)
      .then((made) => {
        if (!open.over) done(made);
      });
  }

  /** The thread of MCP ended: what it was at is lost, and the next request begins another. */
  #lost(port: MessagePort): void {
    if (this.#port !== port) return;
    this.#port = undefined;
    const pages = [...this.#pages.values()];
    this.#pages.clear();
    for (const onAnswer of pages) onAnswer(undefined);
    for (const [id, open] of this.#open) {
      settle(open.admission, open.costNanoUsd ?? 0);
      for (const { admission } of open.nested?.values() ?? []) settle(admission, 0);
      this.#refuseOpen(id, open, new GatewayError('mcp_unavailable', { retryAfterMs: 1000 }));
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
    for (const number of open.nested?.keys() ?? []) this.#release(open, number, CUT);
    open.costNanoUsd ??= outcome.costNanoUsd;
    settle(open.admission, open.costNanoUsd ?? 0);
    open.guard?.close();
    const { exchange, asker, startedAt } = open;
    if ('onAnswer' in asker && open.costNanoUsd !== undefined) asker.onCost?.(open.costNanoUsd);
    const isLocal = 'onAnswer' in asker;
    const { aborted } = exchange;
    const durationMs = performance.now() - startedAt;
    const left = aborted !== undefined && !isLocal;
    this.#options.pipeline.record({
      ...this.#recordOf(open, open.admission, open.costNanoUsd),
      id: isLocal ? exchangeId() : exchange.id,
      startedAt: epochMs(startedAt),
      durationMs,
      status: left ? 499 : status,
      outcome: left ? 'client-closed' : outcome.failed ? 'error' : 'ok',
      stream: open.lasting,
      attempts: outcome.server === undefined ? 0 : 1,
      upstreamMs: outcome.upstreamMs,
      overheadMs: Math.max(0, startedAt + durationMs - Math.max(startedAt, exchange.bodyReadAt) - outcome.upstreamMs),
      bytesIn: open.bytesIn,
      bytesOut: 'sink' in asker ? asker.sink.bytesOut : 0,
      ...(outcome.server !== undefined && { target: outcome.server }),
      ...(outcome.tool !== undefined && { model: toolModel(outcome.server ?? '', outcome.tool) }),
      ...failureOf(outcome),
      ...(open.guard?.json !== undefined && { guardrailsJson: open.guard.json }),
    });
    if (!isLocal) exchange.finish();
  }

  /** What the records of a request and of the calls that it makes have in common. */
  #recordOf({ exchange, caller, metadata }: Open, admission: Admission, costNanoUsd: number | undefined) {
    const { pipeline } = this.#options;
    const { principal } = exchange;
    const { rulesJson, chargesJson } = admission;
    const metadataJson = recordedMetadata(metadata, this.#configuration.server);
    return {
      requestId: exchange.requestId,
      thread: pipeline.thread,
      method: exchange.method,
      path: exchange.path,
      subject: principal.subject,
      keyId: principal.keyId,
      provider: 'mcp',
      ...(costNanoUsd !== undefined && { costNanoUsd }),
      ...(rulesJson !== undefined && { rulesJson }),
      ...(chargesJson !== undefined && { chargesJson }),
      ...(caller.teamsJson !== undefined && { teamsJson: caller.teamsJson }),
      ...(metadataJson !== undefined && { metadataJson }),
    };
  }
}

/** A call that was under way when its request ended. */
const CUT: McpHoldEnd = { failed: true, detail: 'cancelled', bytesOut: 0, upstreamMs: 0 };

function failureOf({ failed, detail }: Pick<McpOutcome, 'failed' | 'detail'>) {
  return {
    ...(failed && { errorCode: 'mcp_call_failed' as const }),
    ...(detail !== undefined && { errorDetail: detail.slice(0, MAX_DETAIL) }),
  };
}

/** `costNanoUsd`: undefined where nothing was sent. A call counts whatever became of it. */
function settle(admission: Admission, costNanoUsd: number | undefined): void {
  const dispatched = costNanoUsd !== undefined;
  admission.settle({ dispatched, usage: undefined, costNanoUsd, endedAtMs: Date.now() });
}

/** The tool that a body calls, if it calls one. */
function toolIn(body: string): string | undefined {
  if (!body.includes('tools/call')) return undefined;
  const { method, params } = parseObject(body) ?? {};
  const name = method === 'tools/call' && isObject(params) ? params['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function openOf(exchange: Exchange, asker: Asker, caller: Caller, request: McpRequest): Open {
  const isLocal = 'onAnswer' in asker;
  return {
    exchange,
    asker,
    caller,
    metadata: request.caller.metadata,
    bytesIn: isLocal ? Buffer.byteLength(request.body) : exchange.bytesIn,
    startedAt: isLocal ? performance.now() : exchange.startedAt,
    lasting: false,
    over: false,
    admission: NOTHING_HELD,
    costNanoUsd: undefined,
    nested: undefined,
  };
}

function resultIn(body: string): JsonObject | McpFailure {
  const { result, error } = parseObject(body) ?? {};
  if (isObject(result)) return result;
  if (!isObject(error) || typeof error['message'] !== 'string') return new McpFailure('The server gave no answer.');
  return new McpFailure(error['message'], stringOf(objectOf(error['data'])?.['code']));
}

const MAX_DETAIL = 500;

function hostOf(origin: string | undefined): string {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).hostname : '';
}

/** By names that no page of somebody else's can have, whatever address its own name leads to. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function serverOf({ params: { group, name = '' } }: Exchange): string {
  return group === undefined ? name : `${group}/${name}`;
}

function passesKeys({ mcpServers }: Pick<McpGateConfiguration, 'mcpServers'>): boolean {
  return mcpServers.some(
    (server) =>
      'auth' in server &&
      (server.auth.type === 'passthrough' || (server.auth.type === 'oauth2' && server.auth.grant === 'token_exchange')),
  );
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

/** Clients tell by it which of their requests has failed. */
function withRpcId(error: GatewayError, body: string): GatewayError {
  const id = parseObject(body)?.['id'];
  if (typeof id !== 'string' && typeof id !== 'number') return error;
  return new GatewayError(error.code, { ...error.context, rpcId: id });
}

/** An error of JSON-RPC; where no message was understood, for no request in particular. */
function rpcErrorBody(error: GatewayError): Uint8Array {
  const data = { code: error.code, type: error.rule.type };
  return Buffer.from(
    JSON.stringify({
      jsonrpc: '2.0',
      id: error.context.rpcId ?? null,
      error: { code: -32_000, message: error.message, data },
    }),
  );
}
