import type { JsonObject } from '../../codec/json-value.ts';
import { objectOf } from '../../codec/json-value.ts';
import { NumberMap } from '../../core/number-map.ts';
import type { Era } from '../protocol/eras.ts';
import {
  METHOD_NOT_FOUND,
  notificationJson,
  RpcError,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestJson,
  UPSTREAM_ERROR,
} from '../protocol/json-rpc.ts';
import type { HttpFault } from './http-call.ts';
import type { Link, LinkOwner } from './link.ts';

/** What a server says of itself. */
export interface ServerInfo {
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions: string | undefined;
}

/** The waiter for the result of a call hears what comes before it. */
export interface CallHooks {
  notify(method: string, params: JsonObject): void;
  /** An old server asks the client. Rejects with an RpcError. */
  ask(method: string, params: JsonObject): Promise<JsonObject>;
  /** The waiter takes a task of the modern era, whatever the client said. */
  readonly takesTasks?: true;
}

export interface Call {
  /** Rejects with an RpcError. */
  readonly result: Promise<JsonObject>;
  /** Nobody waits any more: the server is told. */
  cancel(): void;
}

/** What somebody wants to hear of, of what a server says by itself. */
export interface Wanted {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  readonly uris: readonly string[];
  /** The ids of the modern era's tasks, as the side that is asked names them; absent: none. */
  readonly taskIds?: readonly string[];
}

export interface Listening {
  /** What happens from then on is heard, if the server is there. Never rejects. */
  readonly heard: Promise<unknown>;
  close(): void;
}

/** The client, as servers are told. */
export interface ClientFacts {
  readonly capabilities: JsonObject;
  readonly clientInfo: JsonObject;
  readonly logLevel: string | undefined;
}

export interface PeerOptions {
  readonly server: string;
  readonly link: Link & { owner: LinkOwner | undefined };
  readonly client: ClientFacts;
  /** Where an earlier peer used the link: an answer that comes late must not meet a request of this one. */
  readonly firstId?: number;
  bounds(): { readonly callMs: number };
  /** The link broke; the peer is of no use any more. */
  onLost(fault: HttpFault): void;
}

interface Pending {
  readonly method: string;
  readonly params: JsonObject;
  readonly hooks: CallHooks;
  /** As the client calls it. */
  readonly progressToken: unknown;
  resolve(result: JsonObject): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
  readonly startedAt: number;
}

/** Calls that became tasks, whose steps are still told: the oldest are forgotten first. */
const MAX_TASKS = 1_000;
/** Messages of a server begin the wait anew, but not for ever. */
const MAX_WAITS = 10;

/** Questions of a server that wait for their client at once. */
export const MAX_QUESTIONS = 64;

export function tooManyQuestions(): RpcError {
  return new RpcError(UPSTREAM_ERROR, `The server asks more than ${MAX_QUESTIONS} questions at once.`);
}

/** One server, as one authorization context sees it: calls that are under way, and who hears what. */
export abstract class Peer implements LinkOwner {
  abstract readonly era: Era;
  /** performance.now() when it was last of use. */
  usedAt = performance.now();
  readonly options: PeerOptions;
  readonly pending = new NumberMap<Pending>();
  readonly listeners = new Set<{ wanted: Wanted; notify: CallHooks['notify'] }>();
  /** An old server asks beside all calls: whoever listens as the client itself. */
  onAsk: CallHooks['ask'] | undefined;
  /** The tasks that calls were answered with, by the number of the call. */
  readonly #tokensOfTasks = new Map<number, unknown>();
  #nextId: number;
  #questions = 0;
  closed = false;
  /** What `ready` gave, once it has. */
  info: ServerInfo | undefined;

  constructor(options: PeerOptions) {
    this.options = options;
    this.#nextId = options.firstId ?? 1;
    options.link.owner = this;
  }

  /** What it says of itself; asked once. Rejects with an RpcError or a HttpFault. */
  abstract ready(): Promise<ServerInfo>;
  abstract call(method: string, params: JsonObject, hooks: CallHooks): Call;
  abstract listen(wanted: Wanted, notify: CallHooks['notify']): Listening;

  get busy(): boolean {
    return this.pending.size > 0 || this.listeners.size > 0;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const [id] of this.pending.entries()) {
      this.settle(id)?.reject(new RpcError(UPSTREAM_ERROR, 'The session with the server was closed.'));
    }
    this.listeners.clear();
    this.options.link.close();
  }

  /** Sends a request under an id of ours. `headers`: of the modern era. */
  protected begin(
    method: string,
    params: JsonObject,
    hooks: CallHooks,
    headers: (id: number) => readonly string[],
    onCancel: (id: number) => void,
    progressToken?: unknown,
  ): Call & { readonly id: number } {
    const id = this.#nextId;
    this.#nextId += 1;
    this.usedAt = performance.now();
    const result = new Promise<JsonObject>((resolve, reject) => {
      const startedAt = performance.now();
      const pending: Pending = { method, params, hooks, progressToken, resolve, reject, startedAt, timer: undefined };
      this.pending.set(id, pending);
      this.#wait(id, pending);
    });
    // The caller that cancels does not wait for it.
    result.catch(() => undefined);
    const withToken =
      progressToken === undefined ? params : { ...params, _meta: { ...objectOf(params['_meta']), progressToken: id } };
    this.options.link.request(id, requestJson(id, method, withToken), headers(id));
    const cancel = (): void => {
      const pending = this.settle(id);
      if (!pending) return;
      pending.reject(new RpcError(UPSTREAM_ERROR, 'The call was cancelled.'));
      onCancel(id);
      this.options.link.drop(id);
    };
    return { id, result, cancel };
  }

  message(message: RpcMessage, ofRequest: number | undefined): void {
    this.usedAt = performance.now();
    if (message.kind === 'response') this.#response(message);
    else if (message.kind === 'notification') this.#notification(message, ofRequest);
    else this.asked(message, ofRequest);
  }

  over(id: number, fault: HttpFault | undefined): void {
    const pending = this.settle(id);
    if (!pending) return;
    const error = fault && this.errorOf(fault);
    pending.reject(error ?? new RpcError(UPSTREAM_ERROR, `The server \`${this.options.server}\` gave no answer.`));
  }

  lost(fault: HttpFault): void {
    if (this.closed) return;
    this.closed = true;
    for (const [id] of this.pending.entries()) this.settle(id)?.reject(this.errorOf(fault));
    this.listeners.clear();
    this.options.onLost(fault);
  }

  /** As the client is told, in the words of the server where it has some. */
  protected errorOf(fault: HttpFault): Error {
    return fault;
  }

  /** A request of the server: answered by whoever waits for the call it belongs to. */
  protected asked(request: RpcRequest, ofRequest: number | undefined): void {
    const ask = this.#askerFor(ofRequest);
    const answer = (json: string): void => void this.options.link.send(json, []);
    if (request.method === 'ping') {
      answer(JSON.stringify({ jsonrpc: '2.0', id: request.id, result: {} }));
      return;
    }
    const refused = new RpcError(METHOD_NOT_FOUND, `Nobody here can answer \`${request.method}\`.`);
    if (this.#questions >= MAX_QUESTIONS) {
      answer(JSON.stringify({ jsonrpc: '2.0', id: request.id, error: tooManyQuestions().toJson() }));
      return;
    }
    this.#questions += 1;
    (ask ? ask(request.method, request.params) : Promise.reject(refused)).then(
      (result) => {
        this.#questions -= 1;
        answer(JSON.stringify({ jsonrpc: '2.0', id: request.id, result }));
      },
      (error: unknown) => {
        this.#questions -= 1;
        const told = error instanceof RpcError ? error : refused;
        answer(JSON.stringify({ jsonrpc: '2.0', id: request.id, error: told.toJson() }));
      },
    );
  }

  /** Resolves as `Link.send` does. */
  protected notifyServer(method: string, params: JsonObject): Promise<void> {
    return this.options.link.send(notificationJson(method, params), []);
  }

  protected settle(id: number): Pending | undefined {
    const pending = this.pending.take(id);
    clearTimeout(pending?.timer);
    return pending;
  }

  #response({ id, result, error }: RpcResponse): void {
    const pending = typeof id === 'number' ? this.settle(id) : undefined;
    if (!pending) return;
    if (result && pending.progressToken !== undefined && objectOf(result['task'])) {
      for (const oldest of this.#tokensOfTasks.keys()) {
        if (this.#tokensOfTasks.size < MAX_TASKS) break;
        this.#tokensOfTasks.delete(oldest);
      }
      this.#tokensOfTasks.set(Number(id), pending.progressToken);
    }
    if (result) pending.resolve(result);
    else pending.reject(error ?? new RpcError(UPSTREAM_ERROR, 'The server answered without a result.'));
  }

  #notification({ method, params }: RpcNotification, ofRequest: number | undefined): void {
    if (method === 'notifications/progress') {
      const { progressToken } = params;
      if (typeof progressToken !== 'number') return;
      const pending = this.pending.get(progressToken);
      if (!pending) this.#stepOfTask(method, params, progressToken, ofRequest);
      if (!pending || pending.progressToken === undefined) return;
      this.#wait(progressToken, pending);
      pending.hooks.notify(method, { ...params, progressToken: pending.progressToken });
      return;
    }
    const pending = ofRequest === undefined ? undefined : this.pending.get(ofRequest);
    if (pending) this.#wait(ofRequest!, pending);
    const listener = listenerOf(method);
    if (listener === undefined && pending) {
      pending.hooks.notify(method, params);
      return;
    }
    for (const { wanted, notify } of [...this.listeners]) {
      if (listener === undefined || listener(wanted, params)) notify(method, params);
    }
  }

  /** It is told to whoever waits for the result of the task, on whose stream it came. */
  #stepOfTask(method: string, params: JsonObject, step: number, ofRequest: number | undefined): void {
    const waiting = ofRequest === undefined ? undefined : this.pending.get(ofRequest);
    const progressToken = this.#tokensOfTasks.get(step);
    if (waiting === undefined || progressToken === undefined) return;
    this.#wait(ofRequest!, waiting);
    waiting.hooks.notify(method, { ...params, progressToken });
  }

  #askerFor(ofRequest: number | undefined): CallHooks['ask'] | undefined {
    const own = ofRequest === undefined ? undefined : this.pending.get(ofRequest)?.hooks;
    if (own) return (method, params) => own.ask(method, params);
    // On one stream for all a question belongs to the call that is under way, if there is only one.
    if (this.pending.size === 1) {
      const [only] = this.pending.values();
      return (method, params) => only!.hooks.ask(method, params);
    }
    return this.onAsk;
  }

  /** From now on once more `mcp.call_ms`. */
  #wait(id: number, pending: Pending): void {
    clearTimeout(pending.timer);
    const { callMs } = this.options.bounds();
    const left = pending.startedAt + callMs * MAX_WAITS - performance.now();
    pending.timer = setTimeout(() => this.#late(id, callMs), Math.max(0, Math.min(callMs, left)));
  }

  #late(id: number, callMs: number): void {
    const pending = this.settle(id);
    if (!pending) return;
    this.tooLate(id);
    this.options.link.drop(id);
    const message = `The server \`${this.options.server}\` gave no answer in time (mcp.call_ms: ${callMs}).`;
    pending.reject(new RpcError(UPSTREAM_ERROR, message, { code: 'mcp_timeout' }));
  }

  /** Where the server is to be told that nobody waits any more. */
  protected tooLate(_id: number): void {}
}

type Listener = (wanted: Wanted, params: JsonObject) => boolean;

/** Undefined: it is about a call, or no kind that is asked for. */
function listenerOf(method: string): Listener | undefined {
  switch (method) {
    case 'notifications/tools/list_changed':
      return ({ tools }) => tools;
    case 'notifications/prompts/list_changed':
      return ({ prompts }) => prompts;
    case 'notifications/resources/list_changed':
      return ({ resources }) => resources;
    case 'notifications/resources/updated':
      return ({ uris }, { uri }) => typeof uri === 'string' && uris.includes(uri);
    default:
      return undefined;
  }
}
