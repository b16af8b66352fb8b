import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { dataEvent } from '../codec/sse-writer.ts';
import { epochMs } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import { type PipelineOptions, runInference } from '../pipeline.ts';
import { type AgentRequest, type AgentServer, type Message, readAgentRequest } from './agent-request.ts';
import type { McpGate } from './mcp-gate.ts';

export interface AgentOptions {
  readonly pipeline: PipelineOptions;
  readonly mcp: Pick<McpGate, 'ask'>;
  /** Of chats, whose events the answer is made of. */
  readonly dialect: Dialect;
}

export function agentRoutes(options: AgentOptions): Route[] {
  return [
    {
      pattern: '/agent/chat/completions',
      method: 'POST',
      needsKey: true,
      body: 'whole',
      errorBody: options.dialect.errorBody,
      handle: (exchange) => {
        const request = options.pipeline.refusal() ?? readAgentRequest(exchange.body);
        exchange.releaseBody();
        if (!(request instanceof GatewayError)) {
          new AgentLoop(exchange, request, options).begin();
          return;
        }
        exchange.refuse(request);
        options.pipeline.refused(exchange, request, { model: undefined });
        exchange.finish();
      },
    },
  ];
}

interface KnownTool {
  readonly from: AgentServer;
  readonly name: string;
  readonly needsApproval: boolean;
}

interface ToolCall {
  readonly id: string;
  name: string;
  arguments: string;
}

/** Events of a turn that are not whole yet. */
const MAX_EVENT_BYTES = 16_777_216;
const MAX_TOOLS = 128;
const MAX_CALLS = 64;
const MAX_NAME = 64;

/**
 * Model turn, its tool calls beside each other, next turn, until the model is done or the limit is reached. Each turn and
 * each call is a request by itself: with its own checks, limits and record. The client's leaving ends all of it.
 */
class AgentLoop {
  readonly #exchange: Exchange;
  readonly #request: AgentRequest;
  readonly #options: AgentOptions;
  readonly #tools = new Map<string, KnownTool>();
  #forModel: readonly object[] = [];
  #turn: LocalExchange | undefined;
  readonly #cancels = new Set<() => void>();
  #over = false;

  constructor(exchange: Exchange, request: AgentRequest, options: AgentOptions) {
    this.#exchange = exchange;
    this.#request = request;
    this.#options = options;
  }

  begin(): void {
    this.#exchange.onAbort = (reason) => {
      if (reason === 'drain') this.#exchange.refuse(new GatewayError('draining', { retryAfterMs: 1000 }));
      this.#end(undefined);
    };
    this.#run().catch((cause: unknown) => {
      this.#end(cause instanceof GatewayError ? cause : new GatewayError('internal_error', { cause }));
    });
  }

  async #run(): Promise<void> {
    const { messages, iterationLimit } = this.#request;
    await this.#learnTools();
    // A conversation that was left for an approval goes on with what was decided.
    const last = messages.at(-1);
    const waiting = last?.role === 'assistant' ? callsOf(last) : [];
    if (waiting.length > 0) messages.push(...(await this.#results(waiting)));
    for (let turn = 1; !this.#over; turn += 1) {
      const { content, calls } = await this.#ask();
      if (this.#over) return;
      if (calls.length === 0) {
        this.#end(undefined);
        return;
      }
      messages.push({ role: 'assistant', content: content === '' ? null : content, tool_calls: calls.map(asToolCall) });
      const asked = calls.filter((call) => this.#mustWait(call));
      if (asked.length > 0) {
        const tool_calls = asked.map(asToolCall);
        this.#event({ delta: {}, finish_reason: 'tool_calls' }, { tool_approval_required: { tool_calls } });
        this.#end(undefined);
        return;
      }
      messages.push(...(await this.#results(calls)));
      if (turn < iterationLimit) continue;
      this.#event({ delta: {}, finish_reason: 'length' }, { iteration_limit_reached: iterationLimit });
      this.#end(undefined);
    }
  }

  /** Tools of all servers as functions of the model. A server that cannot be asked fails the whole: the model would lack it. */
  async #learnTools(): Promise<void> {
    const { servers } = this.#request;
    const lists = await Promise.all(servers.map((server) => this.#mcp(server, 'tools/list', {})));
    const functions: object[] = [];
    for (const [index, list] of lists.entries()) {
      const from = servers[index]!;
      if (typeof list === 'string') throw new GatewayError('mcp_call_failed', { detail: list });
      const { tools } = list;
      for (const each of isArray(tools) ? tools : []) {
        const { name, description, inputSchema, annotations } = objectOf(each) ?? {};
        if (typeof name !== 'string' || from.tools?.has(name) === false) continue;
        const shown = this.#freeName(name);
        this.#tools.set(shown, {
          from,
          name,
          needsApproval: needsApproval(from.approval, name, objectOf(annotations)),
        });
        const parameters = isObject(inputSchema) ? inputSchema : { type: 'object' };
        functions.push({ type: 'function', function: { name: shown, description, parameters } });
      }
    }
    if (functions.length > MAX_TOOLS) {
      const detail = `The servers have ${functions.length} tools; name those to use, at most ${MAX_TOOLS}.`;
      throw new GatewayError('invalid_parameter', { param: 'mcp_servers', detail });
    }
    this.#forModel = functions;
  }

  /** As models take names, and no two alike. */
  #freeName(name: string): string {
    const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME);
    let free = plain;
    for (let count = 2; this.#tools.has(free); count += 1) free = `${plain.slice(0, MAX_NAME - 4)}_${count}`;
    return free;
  }

  #mustWait({ id, name }: ToolCall): boolean {
    return this.#tools.get(name)?.needsApproval === true && this.#request.approvals[id] === undefined;
  }

  /** One turn of the model; what it says goes to the client as it comes. */
  #ask(): Promise<{ content: string; calls: ToolCall[] }> {
    const { forModel, messages } = this.#request;
    const tools = this.#forModel.length > 0 ? { tools: this.#forModel } : {};
    const { dialect, pipeline } = this.#options;
    const { principal, requestId, headers } = this.#exchange;
    return new Promise((resolve, reject) => {
      let content = '';
      const calls: ToolCall[] = [];
      let fault: GatewayError | undefined;
      const parser = new SseParser((_event, data) => {
        const chunk = parseObject(data);
        if (!chunk) return;
        if (isObject(chunk['error'])) {
          const message = stringOf(chunk['error']['message']) ?? 'The model failed.';
          fault ??= new GatewayError('upstream_stream_error', { detail: message });
          return;
        }
        const choices = chunk['choices'];
        const choice = isArray(choices) ? objectOf(choices[0]) : undefined;
        if (!choice) return;
        const delta = objectOf(choice['delta']) ?? {};
        content += stringOf(delta['content']) ?? '';
        fault ??= gather(calls, delta['tool_calls']);
        this.#send(data);
      }, MAX_EVENT_BYTES);
      const asked = {
        path: '/chat/completions',
        principal,
        requestId,
        headers: { tfy: withoutServerHeaders(headers.tfy), traceparent: headers.traceparent },
        body: Buffer.from(JSON.stringify({ ...forModel, messages, ...tools })),
        scan: dialect.scan,
      };
      const turn = new LocalExchange(asked, {
        take: (bytes) => {
          fault ??= parser.push(Buffer.from(bytes));
          return true;
        },
        over: (error) => {
          this.#turn = undefined;
          const failed = fault ?? error;
          if (failed) reject(failed);
          else resolve({ content, calls: calls.filter(Boolean) });
        },
      });
      this.#turn = turn;
      runInference(turn, dialect, pipeline);
    });
  }

  /** Results in the order of the calls, each told as it comes. */
  #results(calls: readonly ToolCall[]): Promise<Message[]> {
    return Promise.all(
      calls.map(async (call) => {
        const content = await this.#result(call);
        const message = { role: 'tool', tool_call_id: call.id, content };
        this.#event({ delta: message, finish_reason: null }, {});
        return message;
      }),
    );
  }

  /** A call that cannot be made is told to the model, which may choose another. */
  async #result({ id, name, arguments: text }: ToolCall): Promise<string> {
    const tool = this.#tools.get(name);
    if (!tool) return `There is no tool ${name.slice(0, MAX_NAME)}.`;
    if (tool.needsApproval && this.#request.approvals[id] !== 'approve') return 'The user did not allow this call.';
    const args = text.trim() === '' ? {} : parseObject(text);
    if (!args) return 'The arguments are not a JSON object.';
    const answer = await this.#mcp(tool.from, 'tools/call', { name: tool.name, arguments: args });
    if (typeof answer === 'string') return answer;
    const { content, structuredContent } = answer;
    const texts = (isArray(content) ? content : []).map((each) => {
      const { type, text: said } = objectOf(each) ?? {};
      return typeof said === 'string' ? said : `[${String(type)}]`;
    });
    if (texts.length > 0) return texts.join('\n');
    return structuredContent === undefined ? '' : JSON.stringify(structuredContent);
  }

  #mcp({ server, headers }: AgentServer, method: string, params: JsonObject): Promise<JsonObject | string> {
    if (this.#over) return Promise.resolve('The client left.');
    return new Promise((resolve) => {
      const serverHeaders = Object.keys(headers).length > 0 ? { [server]: headers } : {};
      const onAnswer = (answer: JsonObject | string): void => {
        this.#cancels.delete(cancel);
        resolve(answer);
      };
      const cancel = this.#options.mcp.ask({
        exchange: this.#exchange,
        server,
        method,
        params,
        serverHeaders,
        onAnswer,
      });
      this.#cancels.add(cancel);
    });
  }

  #event(choice: object, more: object): void {
    const created = Math.floor(Date.now() / 1000);
    const chunk = { id: `agent-${this.#exchange.id}`, object: 'chat.completion.chunk', created };
    this.#send(JSON.stringify({ ...chunk, choices: [{ index: 0, ...choice }], ...more }));
  }

  #send(json: string): void {
    if (this.#over) return;
    const { sink } = this.#exchange;
    if (!sink.started) {
      const headers = ['content-type', 'text/event-stream', 'cache-control', 'no-cache'];
      this.#exchange.pushOwnHeaders(headers, 0);
      sink.start(200, headers);
    }
    sink.write(dataEvent(json));
  }

  /** Once. Without an error the answer is whole, or the client left. */
  #end(error: GatewayError | undefined): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    const { sink, aborted } = exchange;
    const { pipeline, dialect } = this.#options;
    if (error && !sink.started) {
      this.#over = true;
      this.#stop();
      exchange.refuse(error, error.context.headers);
      pipeline.refused(exchange, error, { model: undefined });
      exchange.finish();
      return;
    }
    if (aborted === undefined) {
      if (error) {
        sink.write(dialect.errorEvent(error));
        sink.cut();
      } else {
        this.#send('[DONE]');
        sink.end();
      }
    }
    this.#over = true;
    this.#stop();
    const durationMs = performance.now() - exchange.startedAt;
    pipeline.record({
      id: exchange.id,
      requestId: exchange.requestId,
      startedAt: epochMs(exchange.startedAt),
      durationMs,
      thread: pipeline.thread,
      method: exchange.method,
      path: exchange.path,
      status: aborted === undefined ? 200 : 499,
      outcome: aborted !== undefined ? 'client-closed' : error ? 'cut' : 'ok',
      subject: exchange.principal.subject,
      keyId: exchange.principal.keyId,
      stream: true,
      attempts: 0,
      upstreamMs: 0,
      overheadMs: 0,
      bytesIn: exchange.bytesIn,
      bytesOut: sink.bytesOut,
      ...(error && { errorCode: error.code }),
    });
    exchange.finish();
  }

  #stop(): void {
    this.#turn?.abort('client');
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

/** Joins the pieces of calls; an error where there are too many. */
function gather(calls: ToolCall[], pieces: unknown): GatewayError | undefined {
  for (const piece of isArray(pieces) ? pieces : []) {
    const { index, id, function: called } = objectOf(piece) ?? {};
    const place = typeof index === 'number' ? index : calls.length;
    if (place < 0 || place >= MAX_CALLS) {
      return new GatewayError('upstream_protocol', { detail: `The model makes more than ${MAX_CALLS} calls at once.` });
    }
    const { name, arguments: text } = objectOf(called) ?? {};
    const call = calls[place] ?? { id: stringOf(id) ?? `call_${place}`, name: '', arguments: '' };
    calls[place] = call;
    call.name ||= stringOf(name) ?? '';
    call.arguments += stringOf(text) ?? '';
  }
  return undefined;
}

function callsOf(message: Message): ToolCall[] {
  const calls: ToolCall[] = [];
  const written = message['tool_calls'];
  gather(calls, isArray(written) ? written.map((each, index) => ({ ...objectOf(each), index })) : []);
  return calls;
}

function asToolCall({ id, name, arguments: text }: ToolCall): object {
  return { id, type: 'function', function: { name, arguments: text } };
}

/** What says nothing of itself may destroy. */
function needsApproval(wanted: ReadonlySet<string>, name: string, annotations: JsonObject | undefined): boolean {
  if (wanted.has(name) || wanted.has('@all')) return true;
  if (annotations?.['readOnlyHint'] === true) return wanted.has('@read-only');
  return annotations?.['destructiveHint'] !== false ? wanted.has('@destructive') : wanted.has('@write');
}

/** They are for MCP servers, and no business of the model's turn. */
function withoutServerHeaders(tfy: Record<string, string> | undefined): Record<string, string> | undefined {
  if (tfy === undefined) return undefined;
  const { 'x-tfy-mcp-headers': _headers, ...rest } = tfy;
  return rest;
}
