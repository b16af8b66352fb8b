import { scalarText } from '../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { epochMs } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { AgentRun } from '../telemetry/agent-metrics.ts';
import { AgentApprovals } from './agent-approvals.ts';
import type { AgentRequest, AgentServer, Message } from './agent-request.ts';
import { AgentTools, everyPage } from './agent-tools.ts';
import {
  type AgentEnd,
  type AgentVoice,
  asToolCall,
  callsOf,
  gatherCalls,
  type NamedCall,
  type ToolCall,
} from './agent-voice.ts';
import type { McpGate } from './mcp-gate.ts';
import { McpFailure } from './mcp-request.ts';

export interface AgentOptions {
  readonly pipeline: PipelineOptions;
  readonly mcp: Pick<McpGate, 'ask'>;
  /** The dialect of chats, in which the model is asked. */
  readonly dialect: Dialect;
  /** Metrics hear of each run once. */
  onRun(run: AgentRun): void;
}

interface Turn {
  readonly content: string;
  readonly calls: NamedCall[];
}

/** Events of a turn that are not whole yet. */
const MAX_EVENT_BYTES = 16_777_216;
const MAX_NAME = 64;

/**
 * Model turn, its tool calls beside each other, next turn, until the model is done or a limit is reached. Each turn and
 * each call is a request by itself: with its own checks, limits and record. The client's leaving ends all of it.
 */
export class AgentLoop {
  readonly #exchange: Exchange;
  readonly #request: AgentRequest;
  readonly #voice: AgentVoice;
  readonly #options: AgentOptions;
  readonly #tools = new AgentTools();
  readonly #usage = { inputTokens: 0, outputTokens: 0 };
  readonly #run = { turnMs: [] as number[], calls: [] as AgentRun['calls'][number][], connectMs: [] as number[] };
  readonly #cancels = new Set<() => void>();
  #turn: LocalExchange | undefined;
  readonly #approvals: AgentApprovals;
  #spentNanoUsd = 0;
  #reachedLimit = false;
  /** Wakes the turn that waits until the client takes more. */
  #onRoom: (() => void) | undefined;
  #isFull = false;
  #over = false;
  /** The drain deadline came. */
  #isCut = false;

  constructor(exchange: Exchange, request: AgentRequest, voice: AgentVoice, options: AgentOptions) {
    this.#exchange = exchange;
    this.#request = request;
    this.#approvals = new AgentApprovals(request.approvals);
    this.#voice = voice;
    this.#options = options;
  }

  begin(): void {
    this.#exchange.onAbort = (reason) => {
      this.#isCut = reason === 'drain';
      this.#end(this.#isCut ? new GatewayError('draining', { retryAfterMs: 1000 }) : undefined);
    };
    this.#exchange.sink.onDrained = () => this.#drained();
    this.#loop().then(
      (end) => this.#end(undefined, end),
      (cause: unknown) => {
        this.#end(cause instanceof GatewayError ? cause : new GatewayError('internal_error', { cause }));
      },
    );
  }

  /** Undefined: the client left. */
  async #loop(): Promise<AgentEnd | undefined> {
    const { messages, iterationLimit } = this.#request;
    await this.#learnTools();
    // A conversation that was left for an approval goes on with what was decided.
    const last = messages.at(-1);
    const waiting = last?.role === 'assistant' ? callsOf(last).map((call) => this.#named(call)) : [];
    const undecided = waiting.filter((call) => this.#mustWait(call));
    if (undecided.length > 0) return { why: 'approval', calls: undecided };
    const ambiguous = this.#approvals.ambiguous(waiting);
    if (ambiguous) throw ambiguous;
    if (waiting.length > 0) {
      this.#tell((voice) => voice.turned(waiting));
      messages.push(...(await this.#results(waiting)));
    }
    this.#approvals.forget();
    for (let turn = 1; !this.#over; turn += 1) {
      const { content, calls } = await this.#ask();
      if (this.#over) return undefined;
      if (calls.length === 0) return { why: 'done' };
      messages.push({ role: 'assistant', content: content === '' ? null : content, tool_calls: calls.map(asToolCall) });
      const asked = calls.filter((call) => this.#mustWait(call));
      if (asked.length > 0) return { why: 'approval', calls: asked };
      // Before the calls: they cost something, too, and their results would go to no model.
      const spent = this.#spentBudget();
      if (spent) return spent;
      this.#tell((voice) => voice.turned(calls));
      messages.push(...(await this.#results(calls)));
      await this.#room();
      if (turn < iterationLimit) continue;
      this.#reachedLimit = true;
      return { why: 'limit', iterationLimit };
    }
    return undefined;
  }

  #spentBudget(): AgentEnd | undefined {
    const { maxCostUsd, maxTotalTokens } = this.#request.budget;
    const tokens = this.#usage.inputTokens + this.#usage.outputTokens;
    const costUsd = this.#spentNanoUsd / 1e9;
    if (maxCostUsd !== undefined && costUsd >= maxCostUsd) {
      return { why: 'budget', setting: `budget.max_cost_usd: ${maxCostUsd}`, spent: costUsd };
    }
    if (maxTotalTokens !== undefined && tokens >= maxTotalTokens) {
      return { why: 'budget', setting: `budget.max_total_tokens: ${maxTotalTokens}`, spent: tokens };
    }
    return undefined;
  }

  /** A server that cannot be asked fails the whole: the model would lack its tools. */
  async #learnTools(): Promise<void> {
    const { servers } = this.#request;
    const lists = await Promise.all(
      servers.map(async (server) => {
        const startedAt = performance.now();
        const list = await everyPage((params) => this.#mcp(server, 'tools/list', params));
        this.#run.connectMs.push(performance.now() - startedAt);
        return list;
      }),
    );
    for (const [index, list] of lists.entries()) {
      if (list instanceof McpFailure) {
        const { message: detail, code } = list;
        if (code !== 'mcp_server_not_found') throw new GatewayError('mcp_call_failed', { detail });
        throw new GatewayError(code, { param: `mcp_servers.${index}`, detail });
      }
      const unknown = this.#tools.learn(servers[index]!, index, list);
      if (unknown) throw unknown;
    }
    const tooMany = this.#tools.tooMany();
    if (tooMany) throw tooMany;
  }

  #named(call: ToolCall): NamedCall {
    return { ...call, server: this.#tools.get(call.name)?.from.server };
  }

  #mustWait({ id, name }: ToolCall): boolean {
    return this.#tools.get(name)?.needsApproval === true && this.#approvals.of(id) === undefined;
  }

  /** One turn of the model; what it says goes to the client as it comes, and no faster than the client takes it. */
  #ask(): Promise<Turn> {
    const { forModel, messages } = this.#request;
    const { functions } = this.#tools;
    const tools = functions.length > 0 ? { tools: functions } : {};
    const { dialect } = this.#options;
    const { principal, requestId, headers } = this.#exchange;
    const startedAt = performance.now();
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
        fault ??= gatherCalls(calls, delta['tool_calls']);
        this.#tell((voice) => voice.said(data, delta));
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
          return !this.#isFull;
        },
        over: (error) => {
          this.#turn = undefined;
          this.#run.turnMs.push(performance.now() - startedAt);
          const failed = fault ?? error;
          if (failed) reject(failed);
          else resolve({ content, calls: calls.filter(Boolean).map((call) => this.#named(call)) });
        },
      });
      this.#turn = turn;
      runInference(turn, dialect, this.#pipeline());
    });
  }

  /** Counts what each turn uses. */
  #pipeline(): PipelineOptions {
    const { pipeline } = this.#options;
    const record: PipelineOptions['record'] = (each) => {
      this.#usage.inputTokens += each.usage?.inputTokens ?? 0;
      this.#usage.outputTokens += each.usage?.outputTokens ?? 0;
      this.#spentNanoUsd += each.costNanoUsd ?? 0;
      pipeline.record(each);
    };
    return { ...pipeline, record };
  }

  /** Results in the order of the calls, each told as it comes. */
  #results(calls: readonly NamedCall[]): Promise<Message[]> {
    return Promise.all(
      calls.map(async (call) => {
        const startedAt = performance.now();
        const { content, failed } = await this.#result(call);
        const tool = this.#tools.get(call.name);
        if (tool) {
          this.#run.calls.push({ server: tool.from.server, tool: tool.name, ms: performance.now() - startedAt });
        }
        this.#tell((voice) => voice.result(call, content, failed));
        return { role: 'tool', tool_call_id: call.id, content };
      }),
    );
  }

  /** A call that cannot be made is told to the model, which may choose another. */
  async #result({ id, name, arguments: text }: NamedCall): Promise<{ content: string; failed: boolean }> {
    const tool = this.#tools.get(name);
    if (!tool) return { content: `There is no tool ${name.slice(0, MAX_NAME)}.`, failed: true };
    if (tool.needsApproval && this.#approvals.of(id) !== 'approve') {
      return { content: 'The user did not allow this call.', failed: true };
    }
    const args = text.trim() === '' ? {} : parseObject(text);
    if (!args) return { content: 'The arguments are not a JSON object.', failed: true };
    const answer = await this.#mcp(tool.from, 'tools/call', { name: tool.name, arguments: args });
    if (answer instanceof McpFailure) return { content: answer.message, failed: true };
    const { content, structuredContent, isError } = answer;
    const texts = (isArray(content) ? content : []).map((each) => {
      const { type, text: said } = objectOf(each) ?? {};
      return typeof said === 'string' ? said : `[${scalarText(type)}]`;
    });
    const structured = structuredContent === undefined ? '' : JSON.stringify(structuredContent);
    return { content: texts.length > 0 ? texts.join('\n') : structured, failed: isError === true };
  }

  #mcp({ server, headers }: AgentServer, method: string, params: JsonObject): Promise<JsonObject | McpFailure> {
    if (this.#over) return Promise.resolve(new McpFailure('The client left.'));
    return new Promise((resolve) => {
      const serverHeaders = Object.keys(headers).length > 0 ? { [server]: headers } : {};
      const onAnswer = (answer: JsonObject | McpFailure): void => {
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
        onCost: (nanoUsd) => {
          this.#spentNanoUsd += nanoUsd;
        },
      });
      this.#cancels.add(cancel);
    });
  }

  // ── towards the client ────────────────────────────────────────────────────

  #tell(what: (voice: AgentVoice) => string): void {
    if (this.#over) return;
    const { sink } = this.#exchange;
    const beginning = sink.started ? '' : this.#voice.begun();
    const events = beginning + what(this.#voice);
    if (events === '') return;
    if (!sink.started) {
      const headers = ['content-type', 'text/event-stream', 'cache-control', 'no-cache'];
      this.#exchange.pushOwnHeaders(headers, 0);
      sink.start(200, headers);
    }
    if (!sink.write(Buffer.from(events))) this.#isFull = true;
  }

  #drained(): void {
    this.#isFull = false;
    this.#turn?.drained();
    this.#onRoom?.();
    this.#onRoom = undefined;
  }

  /** No turn begins for a client that has not taken the one before. Its write timeout ends the wait. */
  async #room(): Promise<void> {
    if (!this.#isFull || this.#over) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Once. Without an error and without an end the client left. */
  #end(error: GatewayError | undefined, end?: AgentEnd): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    const { sink, aborted } = exchange;
    const { pipeline } = this.#options;
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
        sink.write(this.#voice.failed(error));
        sink.cut();
      } else {
        if (end) this.#tell((voice) => voice.ended(end, this.#usage));
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
    this.#options.onRun({ durationMs, reachedLimit: this.#reachedLimit, ...this.#run });
    exchange.finish();
  }

  #stop(): void {
    this.#turn?.abort(this.#isCut ? 'drain' : 'client');
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#onRoom?.();
  }
}

/** The headers without those for MCP servers, which are not for the model. */
function withoutServerHeaders(tfy: Record<string, string> | undefined): Record<string, string> | undefined {
  if (tfy === undefined) return undefined;
  const { 'x-tfy-mcp-headers': _headers, ...rest } = tfy;
  return rest;
}
