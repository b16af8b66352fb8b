import { createHash } from 'node:crypto';
import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { McpSettings } from '../../config/server/mcp.ts';
import type { McpRefusal } from '../../threads/mcp-messages.ts';
import { ALL_VERSIONS, META, type ModernMeta, NAMED, statusOf } from '../protocol/eras.ts';
import {
  errorJson,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  notificationJson,
  RpcError,
  type RpcRequest,
  resultJson,
  UPSTREAM_ERROR,
} from '../protocol/json-rpc.ts';
import { headersOfError } from '../protocol/scopes.ts';
import { TASK_METHODS, takesTasks, tasksUndeclared } from '../protocol/tasks.ts';
import { type CallContext, METHODS, type Served } from '../servers/served.ts';
import { inTime } from '../upstream/late-call.ts';
import type { ServerInfo, Wanted } from '../upstream/peer.ts';
import { AnswerStream } from './answer-stream.ts';
import type { RequestContext } from './client-session.ts';
import { HeldCall, HeldCalls } from './held-calls.ts';
import type { Reply } from './reply.ts';
import { modernResult } from './results.ts';
import type { Seal } from './seal.ts';

export interface ModernOptions {
  readonly seal: Seal;
  settings(): McpSettings;
  keepAliveMs(): number;
}

const STATE = 'mcp request state';
const NO_BUFFERING = ['x-accel-buffering', 'no'];

/** Requests of clients of the modern era: none knows of another. */
export class ModernRequests {
  readonly #options: ModernOptions;
  readonly #held = new HeldCalls();

  constructor(options: ModernOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#held.size;
  }

  close(): void {
    this.#held.close();
  }

  request(
    message: RpcRequest,
    meta: ModernMeta,
    served: Served,
    context: RequestContext,
    reply: Reply,
    takesEvents: boolean,
  ): void {
    const { clientInfo = { name: 'unknown', version: '0' }, logLevel } = meta;
    const { capabilities } = meta;
    const full: CallContext = { ...context, session: undefined, client: { capabilities, clientInfo, logLevel } };
    if (message.method === 'subscriptions/listen') {
      this.#listen(message, served, full, reply, takesEvents);
      return;
    }
    const keepAliveMs = this.#options.keepAliveMs();
    const answer = new AnswerStream({ reply, takesEvents, headers: NO_BUFFERING, keepAliveMs, log: undefined });
    const startedAt = performance.now();
    const failed = (error: unknown): void => {
      const told = error instanceof RpcError ? error : new RpcError(INTERNAL_ERROR, 'The gateway failed.');
      reply.outcome.failed = true;
      reply.outcome.detail = told.message;
      reply.outcome.upstreamMs = performance.now() - startedAt;
      answer.finish(errorJson(message.id, told), statusOf(told), headersOfError(told));
    };
    const finish = (result: JsonObject, info: ServerInfo | undefined): void => {
      reply.outcome.upstreamMs = performance.now() - startedAt;
      reply.outcome.failed = result['isError'] === true;
      answer.finish(resultJson(message.id, modernResult(message.method, result, info?.serverInfo)));
    };
    this.#result(message, served, full, reply, answer)
      .then((result) => {
        const known = served.infoNow?.(full);
        if (known) return finish(result, known);
        return served.info(full).then(
          (info) => finish(result, info),
          () => finish(result, undefined),
        );
      })
      .catch(failed);
  }

  async #result(
    { method, params }: RpcRequest,
    served: Served,
    context: CallContext,
    reply: Reply,
    answer: AnswerStream,
  ): Promise<JsonObject> {
    if (method === 'server/discover') return discovered(served, context);
    if (TASK_METHODS.has(method)) {
      if (!takesTasks(context.client.capabilities)) throw tasksUndeclared(method);
    } else if (!METHODS.has(method)) throw new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`);
    const notify = (told: string, about: JsonObject): void => {
      // Log messages only where the request asked for them.
      if (told !== 'notifications/message' || context.client.logLevel !== undefined) {
        answer.send(notificationJson(told, about));
      }
    };
    if (NAMED[method] === undefined) {
      const call = served.call(context, method, params, { notify, ask: nobodyAsks });
      reply.onGone = () => call.cancel();
      return call.result;
    }
    const state = this.#stateOf(params, method, served, context);
    let held: HeldCall;
    if (state && 'held' in state) {
      held = this.#held.take(state.held);
      held.answer(objectOf(params['inputResponses']) ?? {});
    } else {
      held = new HeldCall();
      const { requestState: _sealed, ...rest } = params;
      const asked = state ? { ...rest, requestState: state.upstream } : rest;
      held.begin(context.client.capabilities, (hooks) => served.call(context, method, asked, hooks));
    }
    held.notify = notify;
    reply.onGone = () => held.cancel();
    const turn = await held.turn();
    held.notify = () => undefined;
    reply.onGone = undefined;
    if ('questions' in turn) {
      const full = this.#held.keep(held, context.subject, this.#options.settings().callMs);
      if (full) {
        held.cancel();
        throw full;
      }
      const requestState = this.#seal({ held: held.id }, method, params, served, context);
      return { resultType: 'input_required', inputRequests: turn.questions, requestState };
    }
    const { requestState } = turn.result;
    if (typeof requestState !== 'string') return turn.result;
    return { ...turn.result, requestState: this.#seal({ upstream: requestState }, method, params, served, context) };
  }

  /** Bound to who asked what: it is of no use for anybody else, for another call, or later. */
  #seal(state: JsonObject, method: string, params: JsonObject, served: Served, context: CallContext): string {
    const untilMs = Date.now() + this.#options.settings().callMs * 10;
    return this.#options.seal.close(STATE, { ...state, untilMs, for: boundTo(method, params, served, context) });
  }

  /** `state`: as it was told to the client, who did not get it. */
  refused(state: string, { message, code }: McpRefusal): void {
    const held = stringOf(this.#options.seal.open(STATE, state)?.['held']);
    if (held !== undefined) this.#held.find(held)?.cancel(new RpcError(UPSTREAM_ERROR, message, { code }));
  }

  #stateOf(
    params: JsonObject,
    method: string,
    served: Served,
    context: CallContext,
  ): { readonly held: string } | { readonly upstream: string } | undefined {
    const written = params['requestState'];
    if (written === undefined) return undefined;
    const state = typeof written === 'string' ? this.#options.seal.open(STATE, written) : undefined;
    const invalid = new RpcError(INVALID_PARAMS, 'This `requestState` is not valid here.');
    if (!state || state['for'] !== boundTo(method, params, served, context)) throw invalid;
    if (!(typeof state['untilMs'] === 'number' && Date.now() < state['untilMs'])) throw invalid;
    const [held, upstream] = [stringOf(state['held']), stringOf(state['upstream'])];
    if (held !== undefined) return { held };
    if (upstream !== undefined) return { upstream };
    throw invalid;
  }

  #listen(message: RpcRequest, served: Served, context: CallContext, reply: Reply, takesEvents: boolean): void {
    if (!takesEvents) {
      const error = new RpcError(INVALID_PARAMS, 'A subscription is a stream: accept text/event-stream.');
      reply.answer(400, errorJson(message.id, error));
      return;
    }
    const filter = objectOf(message.params['notifications']) ?? {};
    const uris = filter['resourceSubscriptions'];
    const wanted: Wanted = {
      tools: filter['toolsListChanged'] === true,
      prompts: filter['promptsListChanged'] === true,
      resources: filter['resourcesListChanged'] === true,
      uris: Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string').slice(0, MAX_URIS) : [],
      ...tasksWanted(filter, served, context),
    };
    if (filter['taskIds'] !== undefined && !takesTasks(context.client.capabilities)) {
      reply.answer(400, errorJson(message.id, tasksUndeclared(message.method)));
      return;
    }
    const tagged = (params: JsonObject): JsonObject => ({
      ...params,
      _meta: { ...objectOf(params['_meta']), [META.subscription]: message.id },
    });
    reply.stream(NO_BUFFERING, 'lasting');
    const agreed = {
      ...(wanted.tools && { toolsListChanged: true }),
      ...(wanted.prompts && { promptsListChanged: true }),
      ...(wanted.resources && { resourcesListChanged: true }),
      ...(wanted.uris.length > 0 && { resourceSubscriptions: wanted.uris }),
      ...(wanted.taskIds && { taskIds: wanted.taskIds }),
    };
    // The acknowledgement is the first message, and says that nothing is missed from then on.
    let early: string[] | undefined = [];
    const listening = served.listen(context, wanted, (method, params) => {
      const json = notificationJson(method, tagged(params));
      if (!early) reply.event(json);
      else if (early.length < MAX_EARLY) early.push(json);
    });
    void inTime(listening.heard).then(() => {
      reply.event(notificationJson('notifications/subscriptions/acknowledged', tagged({ notifications: agreed })));
      for (const json of early ?? []) reply.event(json);
      early = undefined;
    });
    const keepAliveMs = this.#options.keepAliveMs();
    const timer = keepAliveMs > 0 ? setInterval(() => reply.comment(), keepAliveMs) : undefined;
    reply.onGone = () => {
      clearInterval(timer);
      listening.close();
    };
  }
}

const MAX_URIS = 1_000;
/** Notifications between the opening of a subscription and its acknowledgement. */
const MAX_EARLY = 100;

async function discovered(served: Served, context: CallContext): Promise<JsonObject> {
  const { capabilities: all, instructions } = await served.info(context);
  // Tasks of the older era; clients of this one ask for theirs by another way.
  const { tasks: _tasks, ...capabilities } = all;
  return {
    supportedVersions: ALL_VERSIONS,
    capabilities,
    ...(instructions !== undefined && { instructions }),
  };
}

/** Where guards read results none is subscribed to: what is told of a task has its result in it. */
function tasksWanted(filter: JsonObject, served: Served, context: CallContext): Pick<Wanted, 'taskIds'> {
  const { taskIds } = filter;
  if (!Array.isArray(taskIds) || context.guarded) return {};
  const own = taskIds.filter(
    (taskId) => typeof taskId === 'string' && served.toolOfTask?.({ taskId }, context) !== undefined,
  );
  return own.length === 0 ? {} : { taskIds: own.slice(0, MAX_URIS) };
}

function nobodyAsks(method: string): Promise<JsonObject> {
  return Promise.reject(new RpcError(METHOD_NOT_FOUND, `\`${method}\` cannot be asked here.`));
}

function boundTo(method: string, params: JsonObject, served: Served, context: CallContext): string {
  const about = [context.subject, served.name, method, params[NAMED[method] ?? ''], params['arguments']];
  return createHash('sha256').update(JSON.stringify(about)).digest('base64url');
}
