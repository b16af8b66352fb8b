import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import { MISSING_CAPABILITY } from './eras.ts';
import { INVALID_PARAMS, RpcError } from './json-rpc.ts';

/** The extension of the modern era by which a call is answered with a task: https://modelcontextprotocol.io/seps/2663-tasks-extension */
export const TASKS = 'io.modelcontextprotocol/tasks';

export const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

/** Whether a client said that it can be given a task. */
export function takesTasks({ extensions }: JsonObject): boolean {
  return objectOf(extensions)?.[TASKS] !== undefined;
}

/** What a client can, for a server that must answer it at once. */
export function withoutTasks(capabilities: JsonObject): JsonObject {
  if (!takesTasks(capabilities)) return capabilities;
  const { [TASKS]: _tasks, ...extensions } = objectOf(capabilities['extensions']) ?? {};
  return { ...capabilities, extensions };
}

/** Of a client that asks for a task, and did not say that it knows them. */
export function tasksUndeclared(method: string): RpcError {
  const data = { requiredCapabilities: { extensions: { [TASKS]: {} } } };
  return new RpcError(MISSING_CAPABILITY, `\`${method}\` needs the capability ${TASKS}.`, data);
}

export function unknownTask(): RpcError {
  return new RpcError(INVALID_PARAMS, 'There is no such task.');
}
