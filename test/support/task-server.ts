import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore,
  type TaskStore,
} from '@modelcontextprotocol/sdk/experimental/tasks/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

export interface LegacyTaskServer extends AsyncDisposable {
  readonly url: string;
  /** Methods of the requests that it got about tasks. */
  readonly asked: string[];
  /** Ends the task whose tool was called with this text. */
  finish(text: string): Promise<void>;
}

/** Many servers know only whose credential came, and all users of a gateway may share it: a task is of nobody's session. */
function ofNobody(store: InMemoryTaskStore): TaskStore {
  return {
    createTask: (options, id, request) => store.createTask(options, id, request),
    getTask: (id) => store.getTask(id),
    storeTaskResult: (id, status, result) => store.storeTaskResult(id, status, result),
    getTaskResult: (id) => store.getTaskResult(id),
    updateTaskStatus: (id, status, message) => store.updateTaskStatus(id, status, message),
    listTasks: (cursor) => store.listTasks(cursor),
  };
}

/** A server of 2025-11-25 with tasks: the official SDK of its line. */
export async function legacyTaskServer(): Promise<LegacyTaskServer> {
  const kept = new InMemoryTaskStore();
  const store = ofNobody(kept);
  const taskMessageQueue = new InMemoryTaskMessageQueue();
  const open = new Map<string, { readonly id: string; tell(): Promise<void> }>();
  const asked: string[] = [];
  const made = (): McpServer => {
    const server = new McpServer(
      { name: 'tasks', version: '1' },
      {
        capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
        taskStore: store,
        taskMessageQueue,
      },
    );
    const handlers = {
      getTask: async (_args: unknown, extra: { taskId: string }) => (await store.getTask(extra.taskId))!,
      getTaskResult: async (_args: unknown, extra: { taskId: string }) =>
        (await store.getTaskResult(extra.taskId)) as { content: [] },
    };
    for (const [name, taskSupport] of [
      ['report', 'optional'],
      ['must', 'required'],
    ] as const) {
      server.experimental.tasks.registerToolTask(
        name,
        { description: 'Takes long.', inputSchema: { text: z.string() }, execution: { taskSupport } },
        {
          ...handlers,
          createTask: async ({ text }, { taskStore, taskRequestedTtl, sendNotification, _meta }) => {
            const task = await taskStore.createTask({ ttl: taskRequestedTtl ?? 60_000, pollInterval: 10 });
            const { taskId } = task;
            const tell = async (): Promise<void> => {
              const progressToken = _meta?.progressToken;
              const relatedTask = { 'io.modelcontextprotocol/related-task': { taskId } };
              if (progressToken !== undefined) {
                const params = { progressToken, progress: 1, _meta: relatedTask };
                await taskMessageQueue.enqueue(taskId, {
                  type: 'notification',
                  timestamp: 0,
                  message: { jsonrpc: '2.0', method: 'notifications/progress', params },
                });
              }
              await sendNotification({
                method: 'notifications/tasks/status',
                params: { ...task, status: 'completed' },
              }).catch(
                // The stream of the call is over where the server was slow.
                () => undefined,
              );
            };
            open.set(text, { id: taskId, tell });
            if (text.startsWith('at once')) await store.storeTaskResult(taskId, 'completed', resultOf(text));
            return { task };
          },
        },
      );
    }
    for (const [name, taskSupport] of [
      ['ask', 'optional'],
      ['must-ask', 'required'],
    ] as const) {
      server.experimental.tasks.registerToolTask(
        name,
        { description: 'Asks for a name.', execution: { taskSupport } },
        {
          getTask: (extra) => handlers.getTask(undefined, extra),
          getTaskResult: (extra) => handlers.getTaskResult(undefined, extra),
          createTask: async ({ taskStore }) => {
            const task = await taskStore.createTask({ ttl: 60_000, pollInterval: 10 });
            const { taskId } = task;
            const question = {
              message: 'Who are you?',
              requestedSchema: { type: 'object' as const, properties: { name: { type: 'string' as const } } },
            };
            await store.updateTaskStatus(taskId, 'input_required', 'A name is missing.');
            void server.server.elicitInput(question, { relatedTask: { taskId } }).then(({ content }) => {
              return store.storeTaskResult(taskId, 'completed', resultOf(String(content?.['name'])));
            });
            return { task };
          },
        },
      );
    }
    server.registerTool('plain', { description: 'Is quick.' }, () => ({ content: [{ type: 'text', text: 'quick' }] }));
    return server;
  };
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message: unknown = body === '' ? undefined : JSON.parse(body);
    const method = String(Reflect.get(Object(message), 'method'));
    if (method.startsWith('tasks/')) asked.push(method);
    const known = transports.get(String(request.headers['mcp-session-id'] ?? ''));
    if (known) {
      await known.handleRequest(request, response, message);
      return;
    }
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void transports.set(session, transport),
    });
    await made().connect(transport as Parameters<McpServer['connect']>[0]);
    await transport.handleRequest(request, response, message);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    asked,
    finish: async (text) => {
      const { id, tell } = open.get(text)!;
      await tell();
      await store.storeTaskResult(id, 'completed', resultOf(text));
    },
    [Symbol.asyncDispose]: async () => {
      kept.cleanup();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function resultOf(text: string): { content: { type: 'text'; text: string }[] } {
  return { content: [{ type: 'text', text: `a report of ${text}` }] };
}
