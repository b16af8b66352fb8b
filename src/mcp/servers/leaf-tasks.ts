import { scalarText } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import { INVALID_REQUEST, METHOD_NOT_FOUND, RpcError } from '../protocol/json-rpc.ts';
import { needsTasks, relatedTo, renamedTask, takesTasks, unknownTask } from '../protocol/tasks.ts';
import { callOf, lateCall } from '../upstream/late-call.ts';
import type { Call, CallHooks } from '../upstream/peer.ts';
import { type AwaitedParts, AwaitedTask } from './awaited-task.ts';
import type { CallContext } from './served.ts';
import type { TaskIds } from './task-ids.ts';
import { listIn } from './tool-policy.ts';

export interface TaskParts {
  readonly server: string;
  readonly ids: TaskIds;
  /** Rejects with an RpcError where the caller may not use the tool. */
  check(context: CallContext, tool: string): Promise<void>;
  ask(context: CallContext, method: string, params: JsonObject, hooks: CallHooks, cancelled: () => boolean): Call;
  /** Whether a server of the legacy era says of its tool that it must be called as a task. */
  mustBeTask(context: CallContext, tool: string): Promise<boolean>;
  bounds(): { readonly callMs: number };
}

type Hearer = Pick<CallContext, 'session' | 'subject' | 'guarded'>;

/** Callers whose tasks are remembered, and tasks of each; the oldest are forgotten first. */
const MAX_SUBJECTS = 10_000;
const MAX_TASKS = 1_000;
/** Pages of a server's tasks without one of the caller. */
const MAX_PAGES = 20;
const STATUS = 'notifications/tasks/status';
/** Errors by which a server of the legacy era asks for a call as a task. */
const TASK_WANTED: ReadonlySet<number> = new Set([METHOD_NOT_FOUND, INVALID_REQUEST]);

/**
 * Tasks of one server. Each is of the caller whom it was given to, under an id that is sealed for that one, and whoever asks
 * about it must still be allowed to use its tool. All may share one credential of the server, so its own lists tell nothing of
 * whose a task is: what is not remembered here is not listed.
 */
export class LeafTasks {
  readonly #parts: TaskParts;
  /** The tool of each task of the legacy era, by subject and by the server's id of the task. */
  readonly #given = new GenerationCache<Map<string, string>>(MAX_SUBJECTS);

  constructor(parts: TaskParts) {
    this.#parts = parts;
  }

  /** The tool that a task of this server came of, which is one of the caller. */
  toolOf(params: JsonObject, { subjects }: Pick<CallContext, 'subjects'>): string | undefined {
    const task = this.#parts.ids.open(params);
    return task?.server === this.#parts.server && subjects.has(task.subject) ? task.tool : undefined;
  }

  /** Which tasks a subscription of the modern era is about, by the ids of the server, with those of the client. */
  async subscribed(context: CallContext, taskIds: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const taskId of taskIds) {
      const task = this.#parts.ids.open({ taskId });
      if (task?.server !== this.#parts.server || task.subject !== context.subject || task.era !== 'modern') continue;
      if (await this.#mayUse(context, task.tool)) found.set(task.id, taskId);
    }
    return found;
  }

  /** A call of a tool that may be answered with a task. */
  callTool(context: CallContext, params: JsonObject, hooks: CallHooks, cancelled: () => boolean): Call {
    const tool = stringOf(params['name']) ?? '';
    const wanted = context.session ? objectOf(params['task']) : undefined;
    const { task: _ofNoEra, ...plain } = params;
    const heard = this.heard(context, hooks, wanted && tool);
    const call = this.#parts.ask(context, 'tools/call', wanted ? params : plain, heard, cancelled);
    if (wanted) return { ...call, result: call.result.then((result) => this.#owned(result, context, tool, wanted)) };
    let awaited: AwaitedTask | undefined;
    let gone = false;
    const task = (): AwaitedTask => {
      const ask: AwaitedParts['ask'] = (...asked) => this.#parts.ask(context, ...asked, () => false);
      awaited = new AwaitedTask({ server: this.#parts.server, bounds: () => this.#parts.bounds(), ask }, hooks);
      return awaited;
    };
    const mustBeTask = async (): Promise<boolean> =>
      !context.session && !gone && !cancelled() && (await this.#parts.mustBeTask(context, tool));
    const failed = async (made: JsonObject): Promise<JsonObject> =>
      (await mustBeTask()) ? task().ofLegacy(plain) : this.#owned(made, context, tool, undefined);
    const result = call.result.then(
      // The SDK of the era says so in a result.
      (made) => (made['isError'] === true ? failed(made) : this.#owned(made, context, tool, undefined)),
      async (error: unknown) => {
        if (!(error instanceof RpcError)) throw error;
        if (needsTasks(error) && !takesTasks(context.client.capabilities)) return task().ofModern(plain);
        if (TASK_WANTED.has(error.code) && (await mustBeTask())) return task().ofLegacy(plain);
        throw error;
      },
    );
    result.catch(() => undefined);
    return {
      result,
      cancel: () => {
        gone = true;
        call.cancel();
        awaited?.cancel();
      },
    };
  }

  /** A request about a task. */
  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    return lateCall(async (cancelled) => {
      if (method === 'tasks/list') return callOf(this.#list(context, params, cancelled));
      const { server, ids, check, ask } = this.#parts;
      const task = ids.open(params);
      if (task?.server !== server || task.subject !== context.subject || task.era !== eraOf(context))
        throw unknownTask();
      const { id, tool } = task;
      await check(context, tool);
      if (task.era === 'legacy') this.#remember(context, id, tool);
      const call = ask(context, method, { ...params, taskId: id }, this.heard(context, hooks, tool), cancelled);
      const taskId = scalarText(params['taskId']) ?? '';
      const named = (result: JsonObject): JsonObject => {
        if (method === 'tasks/result') return relatedTo(result, taskId);
        return result['taskId'] === undefined ? result : told(result, taskId, context.guarded === true);
      };
      return { ...call, result: call.result.then(named) };
    });
  }

  /**
   * Hooks that hear of tasks by the ids of clients. `tool`: that of the task which is begun, or asked about; what is about a
   * task of nobody known is not told. They may live as long as a session, and hold nothing of the request.
   */
  heard({ session, subject, guarded = false }: Hearer, hooks: CallHooks, tool?: string): CallHooks {
    if (!session) return hooks;
    const nameOf = (id: string): string | undefined => {
      const known = this.#given.get(subject)?.get(id) ?? tool;
      return known === undefined ? undefined : this.#sealed(subject, id, known);
    };
    return {
      notify: (method, params) => {
        const id = method === STATUS ? stringOf(params['taskId']) : undefined;
        const taskId = id === undefined ? undefined : nameOf(id);
        const named = method === STATUS ? taskId && told(params, taskId, guarded) : renamedTask(params, nameOf);
        if (named) hooks.notify(method, named);
      },
      ask: async (method, params) => {
        const named = renamedTask(params, nameOf);
        if (!named) throw unknownTask();
        const answer = await hooks.ask(method, named);
        return renamedTask(answer, (taskId) => this.#parts.ids.open({ taskId })?.id) ?? answer;
      },
    };
  }

  /** A task in the place of a result becomes one of this caller. */
  #owned(result: JsonObject, context: CallContext, tool: string, wanted: JsonObject | undefined): JsonObject {
    const { subject } = context;
    if (wanted === undefined) {
      const { resultType, taskId: id } = result;
      if (resultType !== 'task' || typeof id !== 'string') return result;
      const { server, ids } = this.#parts;
      return told(result, ids.close({ server, id, subject, tool, era: 'modern' }), context.guarded === true);
    }
    const task = objectOf(result['task']);
    const id = stringOf(task?.['taskId']);
    if (!task || id === undefined) return result;
    this.#remember(context, id, tool);
    const taskId = this.#sealed(context.subject, id, tool);
    // `_meta` may hold words for the model.
    const { _meta, ...unsaid } = result;
    const beside = context.guarded ? unsaid : renamedTask(result, () => taskId);
    return { ...beside, task: told(task, taskId, context.guarded === true) };
  }

  async #list(context: CallContext, params: JsonObject, cancelled: () => boolean): Promise<JsonObject> {
    const given = this.#given.get(context.subject);
    // A caller that was given no task has none, whatever the server says.
    if (!given) return { tasks: [] };
    const allowed = new Map<string, Promise<boolean>>();
    let asked = params;
    for (let pages = 1; ; pages += 1) {
      const { result } = this.#parts.ask(context, 'tasks/list', asked, this.heard(context, NOBODY), cancelled);
      const page = await result;
      const tasks: JsonObject[] = [];
      for (const each of listIn(page, 'tasks')) {
        const task = objectOf(each);
        const id = stringOf(task?.['taskId']);
        const tool = id === undefined ? undefined : given.get(id);
        if (!task || id === undefined || tool === undefined) continue;
        const may = allowed.get(tool) ?? this.#mayUse(context, tool);
        allowed.set(tool, may);
        if (await may) tasks.push(told(task, this.#sealed(context.subject, id, tool), context.guarded === true));
      }
      const cursor = stringOf(page['nextCursor']);
      // A page of others' tasks alone is empty, and clients take that for the last.
      if (tasks.length > 0 || cursor === undefined || pages === MAX_PAGES) return { ...page, tasks };
      asked = { ...params, cursor };
    }
  }

  #mayUse(context: CallContext, tool: string): Promise<boolean> {
    return this.#parts.check(context, tool).then(
      () => true,
      // As with any list: what may not be used is not there.
      () => false,
    );
  }

  #sealed(subject: string, id: string, tool: string): string {
    const { server, ids } = this.#parts;
    return ids.close({ server, id, subject, tool, era: 'legacy' });
  }

  #remember({ subject }: CallContext, id: string, tool: string): void {
    const tasks = this.#given.get(subject) ?? new Map<string, string>();
    if (tasks.size >= MAX_TASKS && !tasks.has(id))
      for (const oldest of tasks.keys()) {
        tasks.delete(oldest);
        break;
      }
    tasks.set(id, tool);
    this.#given.set(subject, tasks);
  }
}

const NOBODY: CallHooks = { notify: () => undefined, ask: () => Promise.reject(unknownTask()) };

function eraOf({ session }: CallContext): 'legacy' | 'modern' {
  return session ? 'legacy' : 'modern';
}

/** Guards read results alone: what else a server says of a task in words is not told where there are any. */
function told(task: JsonObject, taskId: string, guarded: boolean): JsonObject {
  const { statusMessage: _words, _meta: _more, ...rest } = task;
  return { ...(guarded ? rest : task), taskId };
}
