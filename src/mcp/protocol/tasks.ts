import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { MISSING_CAPABILITY } from './eras.ts';
import { INVALID_PARAMS, RpcError } from './json-rpc.ts';

/** The extension of the modern era by which a call is answered with a task: https://modelcontextprotocol.io/seps/2663-tasks-extension */
export const TASKS = 'io.modelcontextprotocol/tasks';

export const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

/**
 * The methods of the legacy era, where a client asks for a task by the parameter `task` of its call:
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks
 */
export const LEGACY_TASK_METHODS: ReadonlySet<string> = new Set([
  'tasks/get',
  'tasks/result',
  'tasks/list',
  'tasks/cancel',
]);

/** The task capabilities that a server declares at the start of a session, in the legacy era. */
export const LEGACY_TASK_ABILITIES: JsonObject = { list: {}, cancel: {}, requests: { tools: { call: {} } } };

/** Key of `_meta` that says which task a message of the legacy era is about. */
const RELATED_TASK = 'io.modelcontextprotocol/related-task';

/** Whether a client said that it can be given a task. */
export function takesTasks({ extensions }: JsonObject): boolean {
  return objectOf(extensions)?.[TASKS] !== undefined;
}

/** Whether a server of the legacy era runs calls of tools as tasks. */
export function runsTasks({ tasks }: JsonObject): boolean {
  return objectOf(objectOf(objectOf(tasks)?.['requests'])?.['tools'])?.['call'] !== undefined;
}

/** A list of tools of which none says that it can be, or must be, called as a task. */
export function withoutTaskSupport(result: JsonObject): JsonObject {
  const { tools } = result;
  if (!isArray(tools) || !tools.some((tool) => objectOf(tool)?.['execution'] !== undefined)) return result;
  return {
    ...result,
    tools: tools.map((each) => {
      const tool = objectOf(each);
      return tool ? withoutExecution(tool) : each;
    }),
  };
}

export function withoutExecution(tool: JsonObject): JsonObject {
  const { execution, ...rest } = tool;
  return execution === undefined ? tool : rest;
}

/** What a client can, for a server that must answer it at once, and may give it no task of its own. */
export function withoutTasks(capabilities: JsonObject): JsonObject {
  const { tasks, ...rest } = capabilities;
  const kept = tasks === undefined ? capabilities : rest;
  if (!takesTasks(kept)) return kept;
  const { [TASKS]: _tasks, ...extensions } = objectOf(kept['extensions']) ?? {};
  return { ...kept, extensions };
}

/** A message of the legacy era with another name of the task that it is about; undefined: of a task without a name. */
export function renamedTask(params: JsonObject, nameOf: (id: string) => string | undefined): JsonObject | undefined {
  const meta = objectOf(params['_meta']);
  const related = objectOf(meta?.[RELATED_TASK]);
  const id = stringOf(related?.['taskId']);
  if (id === undefined) return params;
  const taskId = nameOf(id);
  return taskId === undefined ? undefined : { ...params, _meta: { ...meta, [RELATED_TASK]: { ...related, taskId } } };
}

/** A result of the legacy era with the task that it came of. */
export function relatedTo(result: JsonObject, taskId: string): JsonObject {
  return { ...result, _meta: { ...objectOf(result['_meta']), [RELATED_TASK]: { taskId } } };
}

/** A client that knows of no task is told no ids of a server's tasks. */
export function withoutRelatedTask(params: JsonObject): JsonObject {
  const meta = objectOf(params['_meta']);
  if (meta?.[RELATED_TASK] === undefined) return params;
  const { [RELATED_TASK]: _related, ...rest } = meta;
  return { ...params, _meta: rest };
}

/** Whether a server of the modern era answers this call with a task alone. */
export function needsTasks(error: RpcError): boolean {
  const required = objectOf(objectOf(error.data)?.['requiredCapabilities'])?.['extensions'];
  return error.code === MISSING_CAPABILITY && objectOf(required)?.[TASKS] !== undefined;
}

/** What a client can, which the gateway gives no task but waits for the end of one. */
export function withTasks(capabilities: JsonObject): JsonObject {
  return { ...capabilities, extensions: { ...objectOf(capabilities['extensions']), [TASKS]: {} } };
}

/** The error of a client that asks for a task, and did not say that it knows them. */
export function tasksUndeclared(method: string): RpcError {
  const data = { requiredCapabilities: { extensions: { [TASKS]: {} } } };
  return new RpcError(MISSING_CAPABILITY, `\`${method}\` needs the capability ${TASKS}.`, data);
}

export function unknownTask(): RpcError {
  return new RpcError(INVALID_PARAMS, 'There is no such task.');
}
