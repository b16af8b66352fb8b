/*
 * Symptom: SIGTERM ended the process with SIGABRT and a core dump ("uv_loop_close() while having open handles") whenever a
 * client kept an idle connection, so that a supervisor took every ordinary stop for a crash.
 * Root cause: exit tore the relay threads' loops down while the HTTP addon still owned sockets in them.
 * Why the fix is right: a thread says that it has drained only after it has closed what it still holds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { startGateway } from '../support/gateway.ts';
import { RawClient } from '../support/raw-client.ts';

test('idle connections do not turn a stop into a crash', async (t) => {
  const gateway = await startGateway({ server: { threads: 2 } });
  t.after(gateway[Symbol.asyncDispose]);
  const idle = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(gateway)));
  // One that has served already, kept by fetch.
  await (await ask(gateway, { model: 'demo/chat', messages })).text();
  assert.equal(await gateway.stop(), 0, gateway.output());
  for (const client of idle) await client.closed;
});

test('a second signal ends the gateway without a crash, open streams or not', async (t) => {
  const gateway = await startGateway();
  t.after(gateway[Symbol.asyncDispose]);
  const stream = new ChatStream(gateway, { model: 'demo/chat', messages, stream: true });
  await stream.until('data:');
  gateway.process.kill('SIGTERM');
  gateway.process.kill('SIGINT');
  await gateway.exited;
  assert.notEqual(gateway.process.signalCode, 'SIGABRT', gateway.output());
  assert.doesNotMatch(gateway.output(), /Assertion failed/);
  stream.leave();
});
