import { randomBytes } from 'node:crypto';
import { isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { McpSettings } from '../../config/server/mcp.ts';
import {
  errorJson,
  type Id,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  notificationJson,
  RpcError,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestJson,
  resultJson,
  UPSTREAM_ERROR,
} from '../protocol/json-rpc.ts';
import { headersOfError, ScopeError } from '../protocol/scopes.ts';
import { LEGACY_TASK_METHODS, withoutTasks } from '../protocol/tasks.ts';
import { type CallContext, METHODS, type Served, type ClientSession as SessionOfContext } from '../servers/served.ts';
import { inTime, throwIfCancelled } from '../upstream/late-call.ts';
import {
  type Call,
  type CallHooks,
  type ClientFacts,
  type Listening,
  MAX_QUESTIONS,
  tooManyQuestions,
} from '../upstream/peer.ts';
import { AnswerStream } from './answer-stream.ts';
import { EventLog, readEventId } from './event-log.ts';
import type { Reply } from './reply.ts';
import { legacyResult, unanswerable } from './results.ts';

export interface SessionOptions {
  readonly id: string;
  readonly subject: string;
  readonly server: string;
  readonly version: string;
  readonly capabilities: JsonObject;
  readonly clientInfo: JsonObject;
  settings(): McpSettings;
  keepAliveMs(): number;
}

/** What the context of each request lacks of its session. */
export type RequestContext = Omit<CallContext, 'session' | 'client'>;

/** Streams that can be taken up again; those that ended are forgotten first. */
const MAX_STREAMS = 32;
const MAX_OPEN_CALLS = 256;
const MAX_SUBSCRIPTIONS = 1_000;
/** Questions of a server of the modern era within one call. */
const MAX_ROUNDS = 10;
const DONE: Promise<JsonObject> = Promise.resolve({});

interface OpenCall {
  readonly id: Id;
  readonly call: Call;
}

interface OpenStream {
  readonly log: EventLog;
  readonly answer: AnswerStream;
  /** What guards must know of the request that it answers: which tool it calls, or which task it asks about. */
  readonly about: { readonly method: string; readonly params: { readonly name: unknown; readonly taskId: unknown } };
}

/**
 * A session of a client of the legacy era: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management
 * It lives on the thread of MCP, so that each request may come by any relay thread.
 */
export class ClientSession implements SessionOfContext {
  readonly options: SessionOptions;
  readonly client: { -readonly [Key in keyof ClientFacts]: ClientFacts[Key] };
  usedAt = performance.now();
  ended = false;
  readonly #calls: OpenCall[] = [];
  readonly #asked = new Map<string, { resolve(result: JsonObject): void; reject(error: Error): void }>();
  /** The oldest first. */
  readonly #streams: OpenStream[] = [];
  readonly #overs = new Set<() => void>();
  readonly #uris = new Set<string>();
  #general: { readonly log: EventLog; reply: Reply | undefined; timer: NodeJS.Timeout | undefined } | undefined;
  #listening: Listening | undefined;
  /** One that is revived elsewhere begins to count anew. */
  readonly #suffix = randomBytes(3).toString('hex');
  #nextAsk = 1;
  #nextStream = 1;

  constructor(options: SessionOptions) {
    this.options = options;
    // Clients of this era ask for tasks, and are not given them otherwise; those that they run themselves are not passed on.
    this.client = {
      capabilities: withoutTasks(options.capabilities),
      clientInfo: options.clientInfo,
      logLevel: undefined,
    };
  }

  get id(): string {
    return this.options.id;
  }

  get busy(): boolean {
    return this.#calls.length > 0 || this.#general?.reply !== undefined;
  }

  onEnd(over: () => void): void {
    this.#overs.add(over);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const { call } of [...this.#calls]) call.cancel();
    for (const { reject } of this.#asked.values()) reject(new RpcError(INTERNAL_ERROR, 'The session ended.'));
    this.#listening?.close();
    clearTimeout(this.#general?.timer);
    this.#general?.reply?.end();
    for (const over of this.#overs) over();
    this.#overs.clear();
  }

  /** A request of the client. Its answer goes to `reply`. */
  request(message: RpcRequest, served: Served, context: RequestContext, reply: Reply, takesEvents: boolean): void {
    this.usedAt = performance.now();
    const { id, method, params } = message;
    const own = this.#ownMethod(method, params, served, context);
    if (own) {
      void own.then((told) => reply.answer(200, told instanceof RpcError ? errorJson(id, told) : resultJson(id, told)));
      return;
    }
    const isKnown = this.#callOf(id) !== undefined;
    if (this.#calls.length >= MAX_OPEN_CALLS || isKnown) {
      const why = isKnown ? 'A request with this id is under way.' : 'Too many requests are under way.';
      reply.answer(200, errorJson(id, new RpcError(INVALID_PARAMS, why)));
      return;
    }
    const log = this.#newLog();
    const keepAliveMs = this.options.keepAliveMs();
    const answer = new AnswerStream({
      reply,
      takesEvents,
      headers: [],
      keepAliveMs,
      log: takesEvents ? log : undefined,
    });
    const { name, taskId } = params;
    const stream: OpenStream = { log, answer, about: { method, params: { name, taskId } } };
    this.#streams.push(stream);
    // A client of this era may come back for the result: its leaving cancels nothing.
    reply.onGone = () => answer.detach();
    reply.onRefused = this.#onRefused;
    const full: CallContext = { ...context, session: this, client: this.client };
    const hooks: CallHooks = {
      notify: (notified, told) => answer.send(notificationJson(notified, told)),
      ask: (asked, question) => this.#ask(asked, question, answer.takesEvents ? answer : undefined),
    };
    const call = this.#answered(served, full, method, params, hooks);
    const open: OpenCall = { id, call };
    this.#calls.push(open);
    const startedAt = performance.now();
    const over = (json: string, failed: boolean, error?: RpcError): void => {
      remove(this.#calls, open);
      reply.outcome.upstreamMs = performance.now() - startedAt;
      reply.outcome.failed = failed;
      if (error !== undefined) reply.outcome.detail = error.message;
      answer.finish(json, error instanceof ScopeError ? 403 : 200, headersOfError(error));
      if (!answer.streams) remove(this.#streams, stream);
    };
    call.result.then(
      (result) => over(resultJson(id, legacyResult(result)), result['isError'] === true),
      (error: unknown) => {
        const told = error instanceof RpcError ? error : new RpcError(INTERNAL_ERROR, 'The gateway failed.');
        over(errorJson(id, told), true, told);
      },
    );
  }

  notification({ method, params }: RpcNotification): void {
    this.usedAt = performance.now();
    if (method !== 'notifications/cancelled') return;
    const { requestId } = params;
    if (typeof requestId === 'string' || typeof requestId === 'number') this.#callOf(requestId)?.cancel();
  }

  /** An answer to a question of ours; one that nobody asked is ignored. */
  response({ id, result, error }: RpcResponse): void {
    this.usedAt = performance.now();
    const asked = typeof id === 'string' ? this.#asked.get(id) : undefined;
    if (!asked || typeof id !== 'string') return;
    this.#asked.delete(id);
    if (result) asked.resolve(result);
    else asked.reject(error ?? new RpcError(INTERNAL_ERROR, 'The client answered without a result.'));
  }

  #onRefused: Reply['onRefused'] = (id, { message, code }) => {
    this.response({ kind: 'response', id, error: new RpcError(UPSTREAM_ERROR, message, { code }) });
  };

  /** GET: the stream on which the server speaks by itself, or one that broke, behind its last event. */
  listen(served: Served, context: RequestContext, reply: Reply, lastEventId: string | undefined): void {
    this.usedAt = performance.now();
    reply.onRefused = this.#onRefused;
    const place = lastEventId === undefined ? undefined : readEventId(lastEventId);
    const broken = place && this.#streams.find(({ log }) => log.stream === place.stream);
    if (place && broken) {
      reply.stream([], 'answer', context.guarded ? JSON.stringify(broken.about) : undefined);
      for (const { id, json } of broken.log.after(place.number)) reply.event(json, id);
      broken.answer.attach(reply);
      reply.onGone = () => broken.answer.detach();
      return;
    }
    this.#general ??= {
      log: new EventLog('g', this.options.settings().maxMessageBytes),
      reply: undefined,
      timer: undefined,
    };
    const general = this.#general;
    // A session has one such stream: a client that comes again has lost the one before.
    general.reply?.end();
    general.reply = reply;
    reply.stream([], 'lasting');
    reply.prime(general.log.idOf(0));
    if (place?.stream === 'g') for (const { id, json } of general.log.after(place.number)) reply.event(json, id);
    reply.onGone = () => {
      if (general.reply === reply) general.reply = undefined;
    };
    this.#keepAlive();
    void this.#hear(served, context);
  }

  /** A server asks beside all calls: on the stream of its own, if the client holds one open. */
  ask(method: string, params: JsonObject): Promise<JsonObject> {
    const general = this.#general;
    if (!general?.reply) return Promise.reject(new RpcError(METHOD_NOT_FOUND, 'The client does not listen.'));
    return this.#ask(method, params, { send: (json) => this.#tell(json) });
  }

  /** The result; questions of a server of the modern era are put to the client, and the call is made again. */
  #answered(served: Served, context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    let call = served.call(context, method, params, hooks);
    let cancelled = false;
    const rounds = async (): Promise<JsonObject> => {
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const result = await call.result;
        if (result['resultType'] !== 'input_required') return result;
        const responses: Record<string, JsonObject> = {};
        const questions = Object.entries(objectOf(result['inputRequests']) ?? {});
        if (questions.length > MAX_QUESTIONS) throw tooManyQuestions();
        for (const [key, question] of questions) {
          if (!isObject(question)) continue;
          const asked = stringOf(question['method']) ?? '';
          responses[key] = await hooks.ask(asked, objectOf(question['params']) ?? {});
          throwIfCancelled(() => cancelled);
        }
        const { requestState } = result;
        const again = { ...params, inputResponses: responses, ...(requestState !== undefined && { requestState }) };
        call = served.call(context, method, again, hooks);
      }
      throw new RpcError(INTERNAL_ERROR, `The server asked more than ${MAX_ROUNDS} times.`);
    };
    const result = rounds();
    result.catch(() => undefined);
    const cancel = (): void => {
      cancelled = true;
      call.cancel();
    };
    return { result, cancel };
  }

  #ask(method: string, params: JsonObject, on: { send(json: string): void } | undefined): Promise<JsonObject> {
    const refused = unanswerable(method, this.client.capabilities);
    if (refused || !on) {
      return Promise.reject(refused ?? new RpcError(METHOD_NOT_FOUND, 'The client takes no events.'));
    }
    const id = `s${this.#nextAsk}`;
    this.#nextAsk += 1;
    return new Promise((resolve, reject) => {
      const { callMs } = this.options.settings();
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new RpcError(INTERNAL_ERROR, `The client did not answer in time (mcp.call_ms: ${callMs}).`));
      }, callMs);
      this.#asked.set(id, {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      on.send(requestJson(id, method, params));
    });
  }

  /** What the gateway answers by itself, never rejected; undefined: it is the server's. */
  #ownMethod(
    method: string,
    params: JsonObject,
    served: Served,
    context: RequestContext,
  ): Promise<JsonObject | RpcError> | undefined {
    if (METHODS.has(method) || LEGACY_TASK_METHODS.has(method)) return undefined;
    if (method === 'ping') return DONE;
    if (method === 'logging/setLevel') {
      this.client.logLevel = stringOf(params['level']);
      return DONE;
    }
    const uri = stringOf(params['uri']);
    if (method === 'resources/subscribe' && uri !== undefined) {
      if (this.#uris.size >= MAX_SUBSCRIPTIONS) {
        return Promise.resolve(new RpcError(INVALID_PARAMS, 'Too many subscriptions.'));
      }
      this.#uris.add(uri);
      // Changes after this answer are told.
      return this.#hear(served, context).then(() => ({}));
    }
    if (method === 'resources/unsubscribe' && uri !== undefined) {
      this.#uris.delete(uri);
      void this.#hear(served, context);
      return DONE;
    }
    return Promise.resolve(new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`));
  }

  async #hear(served: Served, context: RequestContext): Promise<void> {
    if (!this.#general || this.ended) return;
    const before = this.#listening;
    const wanted = { tools: true, prompts: true, resources: true, uris: [...this.#uris] };
    const full: CallContext = { ...context, session: this, client: this.client };
    this.#listening = served.listen(full, wanted, (method, params) => {
      const { _meta, ...rest } = params;
      this.#tell(notificationJson(method, rest));
    });
    await inTime(this.#listening.heard);
    // Behind it: else the server would be told to end a subscription and to begin it, and the one may overtake the other.
    before?.close();
  }

  #tell(json: string): void {
    const general = this.#general;
    if (!general) return;
    const id = general.log.add(json);
    general.reply?.event(json, id);
  }

  #keepAlive(): void {
    const general = this.#general;
    const keepAliveMs = this.options.keepAliveMs();
    if (!general || keepAliveMs === 0) return;
    clearTimeout(general.timer);
    general.timer = setTimeout(() => {
      if (!general.reply) return;
      general.reply.comment();
      this.#keepAlive();
    }, keepAliveMs);
  }

  #callOf(id: Id): Call | undefined {
    return this.#calls.find((each) => each.id === id)?.call;
  }

  #newLog(): EventLog {
    const { maxMessageBytes } = this.options.settings();
    let bytes = 0;
    for (const { log } of this.#streams) bytes += log.bytes;
    for (const stream of [...this.#streams]) {
      const { log } = stream;
      if (this.#streams.length < MAX_STREAMS && bytes <= maxMessageBytes) break;
      if (!log.done) continue;
      remove(this.#streams, stream);
      bytes -= log.bytes;
    }
    const stream = `c${this.#nextStream}${this.#suffix}`;
    this.#nextStream += 1;
    return new EventLog(stream, maxMessageBytes);
  }
}

/** Few at a time: a Map that calls enter and leave grows old tables behind it (core/number-map.ts). */
function remove<T>(from: T[], one: T): void {
  const at = from.indexOf(one);
  if (at >= 0) from.splice(at, 1);
}
