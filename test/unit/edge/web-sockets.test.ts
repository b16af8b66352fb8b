import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import type { GatewayError } from '../../../src/core/errors.ts';
import { Edge } from '../../../src/edge/edge.ts';
import { type Route, RouteTable } from '../../../src/edge/routes.ts';
import type { SocketHandler, SocketRoute } from '../../../src/edge/web-sockets.ts';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';

const HANDLER: SocketHandler = {
  message() {},
  tooLarge() {},
  drained() {},
  closed() {},
  drain() {},
  cut() {},
};
const SETTINGS = {
  listen: { trustedProxies: [], closeAfterAnswer: false },
  timeouts: { keepAliveMs: 0, bodyMs: 1_000 },
  limits: { maxBodyBytes: 1_000, highWatermarkBytes: 1_000 },
};
const ROUTE = { method: 'GET', needsKey: true, body: 'none', errorBody: () => Buffer.from('{}'), handle() {} } as const;

/** An edge whose sockets are these, and the errors that are thrown past it. */
async function edgeWith(t: TestContext, ...sockets: readonly SocketRoute[]) {
  const thrown: unknown[] = [];
  const heard = (error: unknown): void => void thrown.push(error);
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', heard);
  const refused: GatewayError[] = [];
  const edge = new Edge({
    settings: SETTINGS as never,
    routes: new RouteTable(sockets.map(({ pattern }): Route => ({ ...ROUTE, pattern }))),
    sockets,
    forwardable: [],
    counters: new SharedCounters(1, 0),
    authenticate: () => ({ subject: 'user:a', keyId: 'k', teams: [], models: [], metadata: {} }),
    onRefused: ({ error }) => refused.push(error),
    errorBody: () => Buffer.from('{}'),
  });
  const port = await edge.listen('127.0.0.1', 0);
  t.after(async () => {
    await edge.drain();
    process.off('uncaughtException', heard);
    for (const listener of before) process.on('uncaughtException', listener);
  });
  return { address: `ws://127.0.0.1:${port}`, thrown, refused };
}

test('a socket whose receiver throws closes with 1011, and the sockets of others go on', async (t) => {
  const fault = new Error('a bug');
  const broken: SocketHandler = {
    ...HANDLER,
    message() {
      throw fault;
    },
  };
  const { address, thrown } = await edgeWith(
    t,
    { pattern: '/broken', accept: () => ({ open: () => broken, abandoned() {} }) },
    {
      pattern: '/echo',
      accept: () => ({
        open: (socket) => ({ ...HANDLER, message: (bytes) => void socket.send(bytes) }),
        abandoned() {},
      }),
    },
  );
  const [first, second] = [new WebSocket(`${address}/broken`), new WebSocket(`${address}/echo`)];
  await Promise.all([once(first, 'open'), once(second, 'open')]);
  first.send('one');
  const [code] = await once(first, 'close');
  assert.equal(code, 1011);
  assert.deepEqual(thrown, [fault]);
  second.send('two');
  const [echoed] = await once(second, 'message');
  assert.equal(String(echoed), 'two');
  second.terminate();
});

test('a socket route that throws answers its request with 500, and no other', async (t) => {
  const fault = new Error('a bug');
  const { address, thrown, refused } = await edgeWith(t, {
    pattern: '/broken',
    accept() {
      throw fault;
    },
  });
  const socket = new WebSocket(`${address}/broken`);
  const [, answer] = await once(socket, 'unexpected-response');
  assert.equal(answer.statusCode, 500);
  assert.deepEqual([refused[0]?.code, refused[0]?.context.cause], ['internal_error', fault]);
  assert.deepEqual(thrown, []);
  answer.destroy();
});
