import { isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { INTERNAL_ERROR, RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import { withoutRelatedTask } from '../protocol/tasks.ts';
import type { Call, CallHooks } from '../upstream/peer.ts';

export interface AwaitedParts {
  readonly server: string;
  ask(method: string, params: JsonObject, hooks: CallHooks): Call;
  bounds(): { readonly callMs: number };
}

/** As `Peer` waits for a call that shows signs of life. */
const MAX_WAITS = 10;
const MIN_POLL_MS = 50;
const DEFAULT_POLL_MS = 1_000;
const MAX_POLL_MS = 10_000;

/**
 * A call that its server runs as a task alone, for a client that cannot be given one: of the other era, or one that did not
 * say that it knows tasks. What the task asks is asked of the client, and its end is waited for as that of a call.
 */
export class AwaitedTask {
  readonly #parts: AwaitedParts;
  readonly #hooks: CallHooks;
  #call: Call | undefined;
  #taskId: string | undefined;
  #cancelled = false;
  #wake: (() => void) | undefined;

  constructor(parts: AwaitedParts, hooks: CallHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#call?.cancel();
    this.#wake?.();
    this.#cancelTask();
  }

  /** At a server of the legacy era, which tells the end, and asks, on the stream of `tasks/result`. */
  async ofLegacy(params: JsonObject): Promise<JsonObject> {
    const created = await this.#ask('tools/call', { ...params, task: {} }, this.#hooks);
    this.#taskId = stringOf(objectOf(created['task'])?.['taskId']);
    if (this.#taskId === undefined) return created;
    const { notify, ask } = this.#hooks;
    const hooks: CallHooks = {
      notify: (method, told) => notify(method, withoutRelatedTask(told)),
      ask: (method, asked) => ask(method, withoutRelatedTask(asked)),
    };
    try {
      return withoutRelatedTask(await this.#ask('tasks/result', { taskId: this.#taskId }, hooks));
    } catch (error) {
      // Nobody waits for it any more; one that is over is not minded.
      if (error instanceof RpcError && error.code === UPSTREAM_ERROR) this.#cancelTask();
      throw error;
    }
  }

  /** At a server of the modern era, which is asked again and again. */
  async ofModern(params: JsonObject): Promise<JsonObject> {
    const takesTasks: CallHooks = { ...this.#hooks, takesTasks: true };
    const created = await this.#ask('tools/call', params, takesTasks);
    if (created['resultType'] !== 'task') return created;
    const taskId = stringOf(created['taskId']);
    this.#taskId = taskId;
    const { callMs } = this.#parts.bounds();
    const untilMs = performance.now() + callMs * MAX_WAITS;
    const answered = new Set<string>();
    let task = created;
    for (;;) {
      await this.#rest(task['pollIntervalMs']);
      if (this.#cancelled) throw new RpcError(UPSTREAM_ERROR, 'The call was cancelled.');
      if (performance.now() > untilMs) {
        this.#cancelTask();
        const message = `The task of the server \`${this.#parts.server}\` did not end in ${MAX_WAITS} × mcp.call_ms: ${callMs}.`;
        throw new RpcError(UPSTREAM_ERROR, message, { code: 'mcp_timeout' });
      }
      task = await this.#ask('tasks/get', { taskId }, takesTasks);
      switch (task['status']) {
        case 'completed':
          return objectOf(task['result']) ?? {};
        case 'failed':
          throw errorIn(task);
        case 'cancelled':
          throw new RpcError(UPSTREAM_ERROR, `The server \`${this.#parts.server}\` cancelled the task.`);
        case 'input_required':
          await this.#answer(task, answered, takesTasks);
      }
    }
  }

  async #answer(task: JsonObject, answered: Set<string>, hooks: CallHooks): Promise<void> {
    const inputResponses: Record<string, JsonObject> = {};
    for (const [key, question] of Object.entries(objectOf(task['inputRequests']) ?? {})) {
      if (answered.has(key) || !isObject(question)) continue;
      answered.add(key);
      const params = objectOf(question['params']) ?? {};
      inputResponses[key] = await this.#hooks.ask(stringOf(question['method']) ?? '', params);
    }
    if (Object.keys(inputResponses).length === 0) return;
    await this.#ask('tasks/update', { taskId: this.#taskId, inputResponses }, hooks);
  }

  #ask(method: string, params: JsonObject, hooks: CallHooks): Promise<JsonObject> {
    this.#call = this.#parts.ask(method, params, hooks);
    if (this.#cancelled) this.#call.cancel();
    return this.#call.result;
  }

  #rest(interval: unknown): Promise<void> {
    const wished = typeof interval === 'number' ? interval : DEFAULT_POLL_MS;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, wished)));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #cancelTask(): void {
    if (this.#taskId === undefined) return;
    const hooks: CallHooks = { ...this.#hooks, takesTasks: true };
    this.#parts.ask('tasks/cancel', { taskId: this.#taskId }, hooks).result.catch(() => undefined);
  }
}

function errorIn({ error }: JsonObject): RpcError {
  const { code, message, data } = objectOf(error) ?? {};
  return new RpcError(typeof code === 'number' ? code : INTERNAL_ERROR, stringOf(message) ?? 'The task failed.', data);
}
