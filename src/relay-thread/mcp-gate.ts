import type { MessagePort } from 'node:worker_threads';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { NumberMap } from '../core/number-map.ts';
import type { Route } from '../edge/routes.ts';
import { type Admission, type Limits, Refused } from '../limits/admission.ts';
import { SERVER_PATHS } from '../mcp/clients/addresses.ts';
import type { PipelineOptions, RefusedRequest } from '../pipeline/pipeline-options.ts';
import type { Caller } from '../policy/caller.ts';
import type {
  FromMcpPort,
  McpGateConfiguration,
  McpOutcome,
  McpPageAnswer,
  McpPageRequest,
  McpRequest,
  ToMcpPort,
} from '../threads/mcp-messages.ts';
import { McpGuarding } from './mcp-guarding.ts';
import { McpPort } from './mcp-port.ts';
import { guardedRecord, requestRecord } from './mcp-records.ts';
import { McpFailure, ownMessage, readMcpRequest, resultIn, rpcErrorBody, withRpcId } from './mcp-request.ts';
import { NestedCalls } from './nested-calls.ts';
import { mcpChallenge } from './oauth-routes.ts';
import { type LocalMcpRequest, type OpenMcpRequest, openMcpRequest, settleCall } from './open-mcp-request.ts';
import { endKept, keepCall, keepResult, sourceOf } from './tool-bodies.ts';
import { ToolHolds } from './tool-holds.ts';

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

/** The relay thread's side of MCP: it owns the client's socket, and the thread of MCP (mcp-thread/) knows the protocol. */
export class McpGate {
  readonly #options: McpGateOptions;
  readonly #open = new NumberMap<OpenMcpRequest>();
  readonly #port: McpPort;
  readonly #nested: NestedCalls;
  readonly #holds: ToolHolds;
  readonly #guarding: McpGuarding;
  #configuration: McpGateConfiguration;
  #passesKeys: boolean;

  constructor(options: McpGateOptions) {
    const { configuration, pipeline, limits, want } = options;
    this.#options = options;
    this.#configuration = configuration;
    this.#passesKeys = passesKeys(configuration);
    this.#port = new McpPort({ want, hear: (message) => this.#hear(message), lost: () => this.#lost() });
    const tell = (message: ToMcpPort): void => this.#port.tell(message);
    this.#nested = new NestedCalls({ pipeline, settings: () => this.#configuration.server, tell });
    this.#holds = new ToolHolds({
      configuration,
      limits,
      tell,
      nested: this.#nested,
    });
    this.#guarding = new McpGuarding({
      pipeline,
      isJoint: (server) => this.#holds.isJoint(server),
      maxMessageBytes: () => this.#configuration.server.mcp.maxMessageBytes,
      tell,
    });
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
    this.#holds.reconfigure(configuration);
    this.#passesKeys = passesKeys(configuration);
  }

  connect(port: MessagePort): void {
    this.#port.connect(port);
  }

  /** The gateway stops: streams that would never end by themselves end now. */
  drain(): void {
    for (const [id, open] of this.#open.entries()) {
      if (!open.lasting) continue;
      open.exchange.sink.end();
      this.#port.tell({ type: 'abort', id });
      this.#finish(id, open, { failed: false, upstreamMs: 0 });
    }
  }

  /** What a browser asks, or a client that wants a token. Undefined: the thread of MCP ended meanwhile. */
  page(request: Omit<McpPageRequest, 'id'>, onAnswer: (answer: McpPageAnswer | undefined) => void): void {
    this.#port.page(request, onAnswer);
  }

  close(): void {
    this.#port.close();
  }

  #handle(exchange: Exchange, server: string | undefined): void {
    const { pipeline } = this.#options;
    const caller = pipeline.snapshot().callers.of(exchange.principal);
    const request = pipeline.refusal() ?? this.#read(exchange, server, caller);
    if (request instanceof GatewayError) {
      this.#refuse(exchange, request, {});
      return;
    }
    const open = openMcpRequest(exchange, exchange, caller, request);
    this.#open.set(request.id, open);
    exchange.onAbort = (reason) => {
      this.#port.tell({ type: 'abort', id: request.id });
      if (reason === 'drain') exchange.refuse(new GatewayError('draining', { retryAfterMs: 1000 }));
      this.#finish(request.id, open, { failed: false, upstreamMs: 0 });
    };
    exchange.sink.onDrained = () => this.#port.tell({ type: 'full', id: request.id, full: false });
    if (open.tool !== undefined) open.bodies = keepCall(pipeline, open, exchange);
    exchange.releaseBody();
    this.#admit(open, request);
  }

  /** Gives what cancels it. Its record is one of its own, under the request id of the exchange. */
  ask(local: LocalMcpRequest): () => void {
    const { exchange, server, method, params, serverHeaders, onAnswer } = local;
    const { pipeline } = this.#options;
    const caller = pipeline.snapshot().callers.of(exchange.principal);
    const read = this.#read(exchange, server, caller);
    if (read instanceof GatewayError) {
      setImmediate(() => onAnswer(new McpFailure(read.message, read.code)));
      return () => undefined;
    }
    const request: McpRequest = {
      ...read,
      ...ownMessage(method, params),
      serverHeaders: { ...read.serverHeaders, ...serverHeaders },
    };
    const { id, body } = request;
    const open = openMcpRequest(exchange, local, caller, request);
    this.#open.set(id, open);
    if (open.tool !== undefined) {
      open.bodies = keepCall(pipeline, open, sourceOf(open.recordId, exchange.principal, body));
    }
    this.#admit(open, request);
    return () => {
      const open = this.#open.get(id);
      if (!open) return;
      this.#port.tell({ type: 'abort', id });
      this.#finish(id, open, { failed: true, upstreamMs: 0, detail: 'cancelled' });
    };
  }

  #read(exchange: Exchange, server: string | undefined, caller: Caller): OrError<McpRequest> {
    const read = readMcpRequest(exchange, server, caller, this.#configuration.server);
    if (read instanceof GatewayError) return read;
    const { bodies, guardrails } = this.#options.pipeline.snapshot();
    const key = this.#passesKeys ? this.#options.keyOf(exchange) : undefined;
    return {
      ...read,
      caller: { ...read.caller, key },
      id: this.#port.nextId(),
      holds: this.#holds.holdsLater(server),
      guarded: guardrails !== undefined,
      tellsCalls: (bodies !== undefined || guardrails !== undefined) && this.#holds.isJoint(server),
    };
  }

  // ── before a request is sent to the thread of MCP ─────────────────────────

  /** A call of a tool is held against the limits that name it; of one of a joint server the thread of MCP asks for it. */
  #admit(open: OpenMcpRequest, request: McpRequest): void {
    const admitted = this.#holds.admit(open, request.server);
    if (admitted === undefined) this.#guarded(open, request);
    else if (admitted instanceof Promise) {
      admitted.then(
        (each) => this.#admitted(open, request, each),
        (cause: unknown) =>
          this.#refuseOpen(request.id, open, new GatewayError('internal_error', { cause }), request.body),
      );
    } else this.#admitted(open, request, admitted);
  }

  #admitted(open: OpenMcpRequest, request: McpRequest, admitted: Admission | Refused): void {
    if (admitted instanceof Refused) {
      this.#refuseOpen(request.id, open, admitted.error, request.body);
      return;
    }
    open.admission = admitted;
    // The client may have left meanwhile.
    if (open.over) settleCall(admitted, undefined);
    else this.#guarded(open, request);
  }

  #guarded(open: OpenMcpRequest, request: McpRequest): void {
    if (this.#options.pipeline.snapshot().guardrails === undefined) {
      this.#send(request);
      return;
    }
    this.#guarding.asked(open, request, (body) => {
      if (body instanceof GatewayError) {
        if (!open.over) settleCall(open.admission, undefined);
        this.#refuseOpen(request.id, open, body, request.body);
        return;
      }
      open.bodies?.capture.keepRequest(Buffer.from(body));
      this.#send(body === request.body ? request : { ...request, body });
    });
  }

  #send(request: McpRequest): void {
    this.#port.send({ type: 'request', request });
  }

  // ── what the thread of MCP says ───────────────────────────────────────────

  #hear(message: Exclude<FromMcpPort, { type: 'page' }>): void {
    const open = this.#open.get(message.id);
    if (!open) return;
    if (message.type === 'hold') void this.#holds.hold(message.id, open, message.hold);
    else if (message.type === 'release') void this.#nested.release(message.id, open, message.number, message.end);
    else if ('sink' in open.asker) this.#toClient(message, open, open.asker.sink);
    else if (message.type === 'answer') {
      const { asker } = open;
      this.#guarding.answer(message.id, open, message.body, (body) => {
        if (open.bodies) keepResult(open.bodies, body);
        this.#finish(message.id, open, message.outcome, message.status);
        asker.onAnswer(resultIn(body));
      });
    }
  }

  #toClient(
    message: Extract<FromMcpPort, { type: 'answer' | 'begin' | 'chunk' | 'end' }>,
    open: OpenMcpRequest,
    sink: Exchange['sink'],
  ): void {
    const { exchange } = open;
    switch (message.type) {
      case 'answer': {
        const headers = [...message.headers];
        this.#guarding.answer(message.id, open, message.body, (body) => {
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
        const fault = this.#guarding.begins(open, message);
        if (fault) {
          this.#port.tell({ type: 'abort', id: message.id });
          this.#refuseOpen(message.id, open, fault);
          return;
        }
        const headers = [...message.headers];
        exchange.pushOwnHeaders(headers, 0);
        sink.start(message.status, headers);
        open.events = this.#guarding.events(message.id, open, (text) => this.#write(message.id, sink, text));
        return;
      }
      case 'chunk':
        if (open.events) {
          if (!open.events.push(message.text)) sink.cut();
        } else this.#write(message.id, sink, message.text);
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

  #write(id: number, sink: Exchange['sink'], text: string): void {
    if (!sink.write(Buffer.from(text))) this.#port.tell({ type: 'full', id, full: true });
  }

  /** The thread of MCP ended: what it was at is lost, and the next request begins another. */
  #lost(): void {
    for (const [id, open] of this.#open.entries()) {
      settleCall(open.admission, open.costNanoUsd ?? 0);
      this.#nested.cut(id, open);
      this.#refuseOpen(id, open, new GatewayError('mcp_unavailable', { retryAfterMs: 1000 }));
    }
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #refuse(exchange: Exchange, error: GatewayError, request: Partial<RefusedRequest>): void {
    exchange.refuse(error, error.context.headers);
    this.#options.pipeline.refused(exchange, error, { model: undefined, ...request });
    exchange.finish();
  }

  /** `body`: what is refused, where it is known. */
  #refuseOpen(id: number, open: OpenMcpRequest, error: GatewayError, body?: string): void {
    this.#open.take(id);
    if (open.over) return;
    open.over = true;
    open.guard?.close();
    const told = body === undefined ? error : withRpcId(error, body);
    const { pipeline } = this.#options;
    if ('onAnswer' in open.asker) {
      const { guard, bodies } = open;
      const { server: settings } = this.#configuration;
      const record = guard && guardedRecord(open, guard, error, { thread: pipeline.thread, settings });
      if (record) pipeline.record(record);
      // Without a record there is no row that its bodies could belong to.
      if (record) endKept(pipeline, bodies, guard, record);
      else bodies?.capture.drop();
      open.asker.onAnswer(new McpFailure(error.message, error.code));
    } else {
      this.#refuse(open.exchange, told, { guardrailsJson: open.guard?.json });
      endKept(pipeline, open.bodies, open.guard, undefined);
    }
  }

  #finish(id: number, open: OpenMcpRequest, outcome: McpOutcome, status = 200): void {
    this.#open.take(id);
    if (open.over) return;
    open.over = true;
    this.#nested.cut(id, open);
    open.costNanoUsd ??= outcome.costNanoUsd;
    settleCall(open.admission, open.costNanoUsd ?? 0);
    open.guard?.close();
    const { exchange, asker, guard, bodies } = open;
    const isLocal = 'onAnswer' in asker;
    if (isLocal && open.costNanoUsd !== undefined) asker.onCost?.(open.costNanoUsd);
    const { pipeline } = this.#options;
    const left = exchange.aborted !== undefined && !isLocal;
    const { server: settings } = this.#configuration;
    const record = requestRecord(open, outcome, { thread: pipeline.thread, settings, status, left });
    pipeline.record(record);
    endKept(pipeline, bodies, guard, record);
    if (!isLocal) {
      exchange.onAbort = undefined;
      exchange.sink.onDrained = undefined;
      exchange.finish();
    }
  }
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
