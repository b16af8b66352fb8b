import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT } from '../support/provider.ts';
import { chatHead, chatRequest, RawClient } from '../support/raw-client.ts';
import {
  deadPort,
  EVENTS_HEAD,
  httpChunk,
  type RawProvider,
  startRawProvider,
  wholeAnswer,
} from '../support/raw-provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const CONNECTIONS = 4;
const QUEUE = 3;
const LIMIT_BYTES = 100_000;
const word = chunkEvent({ content: 'word' });
const holding = new Set<() => void>();

let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider((socket, body) => {
    const { model } = JSON.parse(body);
    if (model === 'good') socket.write(wholeAnswer(completion('hello')));
    else if (model === 'good-stream') {
      socket.write(`${EVENTS_HEAD + httpChunk(word + DONE_EVENT)}0\r\n\r\n`);
    } else if (model === 'cuts') socket.end(EVENTS_HEAD + httpChunk(word));
    else if (model === 'talks') socket.write(EVENTS_HEAD + httpChunk(word));
    else if (model === 'garbage') socket.write('garbage garbage\r\n\r\n');
    else if (model === 'bad') socket.write('HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}');
    else if (model === 'held') holding.add(() => socket.write(wholeAnswer(completion('hello'))));
    // `silent`: nothing, ever.
  });
  gateway = await startGateway({
    server: {
      limits: { max_body_bytes: LIMIT_BYTES, max_upstream_connections: CONNECTIONS, max_upstream_queue: QUEUE },
      timeouts: { first_byte_ms: 400, body_ms: 500 },
      log: { access: 'off' },
    },
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'provider-account/anthropic', name: 'a', base_url: provider.origin },
      openAccount('dead', `http://127.0.0.1:${await deadPort()}/v1`),
    ],
  });
});
disposeAfter(() => [gateway, provider]);

const status = async (asked: Promise<Response>): Promise<number> => {
  const response = await asked;
  await response.text().catch(() => 'cut');
  return response.status;
};
const plain = (model: string, stream: boolean) => status(ask(gateway, { model, messages, stream }));

async function leaves(bytes: string): Promise<void> {
  const client = await RawClient.open(gateway);
  client.send(bytes);
  // So that it has been read; where exactly it is cut then is left to chance.
  await new Promise((resolve) => setImmediate(resolve));
  client.leave();
  await client.closed;
}

async function leavesMidStream(): Promise<void> {
  const client = new ChatStream(gateway, { model: 'p/talks', messages, stream: true });
  // With all connections taken it is refused instead.
  if ((await client.head()).status === 200) await client.until('word');
  client.leave();
  await client.ended();
}

/** Every way out of an exchange. */
const waysOut: Record<string, () => Promise<unknown>> = {
  'a whole answer': () => plain('p/good', false),
  'a stream': () => plain('p/good-stream', true),
  'the client leaves before its body ends': () => leaves(`${chatHead(['content-length: 5000'])}{"model":`),
  'the client leaves after its body': () => leaves(chatRequest({ model: 'p/silent', messages })),
  'the client leaves in the middle of the stream': leavesMidStream,
  'the upstream refuses the connection': () => plain('dead/m', false),
  'the upstream cuts the stream': () => plain('p/cuts', true),
  'the upstream is silent': () => plain('p/silent', true),
  'the upstream sends garbage': () => plain('p/garbage', false),
  'the upstream answers 400': () => plain('p/bad', false),
  'a translated stream is cut': () => plain('a/cuts', true),
  'a translated request cannot be expressed': () => status(ask(gateway, { model: 'a/m', messages, n: 2 })),
  'a bad request': () => status(ask(gateway, '{')),
  'an unknown model': () => plain('nobody/m', false),
  'a body that is too large': () => status(ask(gateway, Buffer.alloc(LIMIT_BYTES + 1, ' '))),
  'a chunked body that is too large': async () => {
    const client = await RawClient.open(gateway);
    client.send(chatHead(['transfer-encoding: chunked']));
    client.send(`20000\r\n${' '.repeat(0x20000)}\r\n0\r\n\r\n`);
    await client.answer();
    client.leave();
  },
  'a body that never ends': async () => {
    const client = await RawClient.open(gateway);
    client.send(`${chatHead(['content-length: 5000'])}{`);
    await client.answer();
    client.leave();
  },
  'a wrong key': () => status(ask(gateway, { model: 'p/good', messages }, { key: 'wrong' })),
  'a wrong path': () => status(ask(gateway, {}, { path: '/v1/nothing' })),
  'the list of models': () =>
    status(fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } })),
};

async function assertNothingHeld(): Promise<void> {
  for (const metric of ['sluice_in_flight', 'sluice_body_memory_bytes', 'sluice_upstream_queued']) {
    await eventually(`${metric} is 0`, async () => (await gateway.metric(metric)) === 0);
  }
}

describe('an in-flight count and a pool slot', () => {
  for (const [way, go] of Object.entries(waysOut)) {
    test(`the in-flight count and the pool slot are given back on this way out: ${way}`, {
      timeout: 60_000,
    }, async () => {
      // More often than there are slots, so that one that is lost each time is missed.
      for (let turn = 0; turn < CONNECTIONS + QUEUE + 1; turn += CONNECTIONS)
        await Promise.all(Array.from({ length: CONNECTIONS }, go));
      await assertNothingHeld();
    });
  }

  test('the in-flight count and the pool slots are given back after a storm of all ways out at once', {
    timeout: 60_000,
  }, async () => {
    for (let turn = 0; turn < 4; turn += 1) await Promise.all(Object.values(waysOut).flatMap((go) => [go(), go()]));
    await assertNothingHeld();
  });

  test('all connections and the whole queue are there again after the storm, and no more', {
    timeout: 60_000,
  }, async () => {
    const asked = Array.from({ length: CONNECTIONS + QUEUE }, () => plain('p/held', false));
    await eventually('the connections are taken', () => holding.size === CONNECTIONS);
    const refused = await ask(gateway, { model: 'p/held', messages });
    assert.equal(refused.status, 503);
    assert.ok(refused.headers.get('retry-after'));
    assert.equal((await errorOf(refused)).code, 'upstream_queue_full');
    const serve = setInterval(() => {
      for (const answer of holding) answer();
      holding.clear();
    }, 20);
    assert.deepEqual(
      await Promise.all(asked),
      asked.map(() => 200),
    );
    clearInterval(serve);
    await assertNothingHeld();
  });
});
