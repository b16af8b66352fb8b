import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, test } from 'node:test';
import OpenAI from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { disposeAfter } from '../support/dispose-after.ts';
import { fiveAccounts, startFiveProviders, TRANSLATED } from '../support/five-providers.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import type { FakeProvider } from '../support/provider.ts';

/* The SDK's own client of the WebSocket. */

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startFiveProviders();
  gateway = await startGateway({ manifests: fiveAccounts(provider) });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

type Turn = Omit<Extract<OpenAI.Responses.ResponsesClientEvent, { type: 'response.create' }>, 'type'>;

/** Events of one turn, up to the one that ends it. */
async function turnOf(socket: ResponsesWS, turn: Turn): Promise<ResponseStreamEvent[]> {
  const seen: ResponseStreamEvent[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    const take = (event: ResponseStreamEvent) => {
      seen.push(event);
      if (!/^response\.(completed|incomplete|failed)$/.test(event.type)) return;
      socket.off('event', take as never);
      resolve();
    };
    socket.on('event', take as never);
    socket.once('error', reject);
  });
  socket.send({ type: 'response.create', ...turn } as OpenAI.Responses.ResponsesClientEvent);
  await ended;
  return seen;
}

const weather = {
  type: 'function' as const,
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
};

for (const model of ['own/gpt', ...TRANSLATED]) {
  test(`the SDK’s socket is told a text of ${model} in the order of its events`, async () => {
    const socket = new ResponsesWS(client);
    const events = await turnOf(socket, { model, input: 'Hi', store: false });
    assert.deepEqual(
      events.map(({ sequence_number: number }) => number),
      events.map((_event, index) => index),
    );
    const text = events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : [])).join('');
    const last = events.at(-1);
    assert.equal(last?.type, 'response.completed');
    assert.ok(text.length > 0);
    assert.match(JSON.stringify(last.response.output), new RegExp(text.slice(0, 5)));
    socket.close();
  });
}

for (const model of [...TRANSLATED, 'own/gpt']) {
  test(`a loop of tools runs over the SDK’s socket with ${model}, and each turn sends only what is new`, async () => {
    const socket = new ResponsesWS(client);
    const first = await turnOf(socket, { model, input: 'How is the weather in Bern?', tools: [weather], store: false });
    const called = first.at(-1);
    assert.equal(called?.type, 'response.completed');
    const call = called.response.output.find((item) => item.type === 'function_call');
    assert.ok(call);
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: '12 degrees' };
    const asked = { model, input: [output], tools: [weather], previous_response_id: called.response.id, store: false };
    const second = (await turnOf(socket, asked)).at(-1);
    assert.equal(second?.type, 'response.completed');
    assert.match(JSON.stringify(second.response.output), /Grüezi/);
    assert.match(provider.requests.at(-1)!.body.toString(), /12 degrees/);
    socket.close();
  });
}

test('the SDK raises what a socket refuses, and the socket goes on', async () => {
  const socket = new ResponsesWS(client);
  await assert.rejects(turnOf(socket, { model: 'nobody/has-it', input: 'Hi' }), /nobody\/has-it/);
  const events = await turnOf(socket, { model: TRANSLATED[0]!, input: 'Hi' });
  assert.equal(events.at(-1)?.type, 'response.completed');
  socket.close();
});

test('a turn beyond those that may wait on a socket gets 429, and those before it are answered', async () => {
  const socket = new ResponsesWS(client);
  await new Promise((resolve) => socket.socket.on('open', resolve as never));
  const seen: { type: string; status?: number; error?: { code: string } }[] = [];
  socket.socket.on('message', (data: Buffer) => seen.push(JSON.parse(data.toString())));
  socket.on('error', () => undefined);
  for (let turn = 0; turn < 18; turn += 1) {
    socket.socket.send(JSON.stringify({ type: 'response.create', model: TRANSLATED[0]!, input: 'Hi', store: false }));
  }
  const completed = () => seen.filter(({ type }) => type === 'response.completed').length;
  await eventually('all turns that were taken have ended', () => completed() === 17);
  const refused = seen.filter(({ type }) => type === 'error');
  assert.deepEqual(
    refused.map(({ status, error }) => [status, error?.code]),
    [[429, 'socket_queue_full']],
  );
  socket.close();
});

test('a message larger than may be ends its socket with 1009, behind an error that names the setting', async (t) => {
  const limits = { max_body_bytes: 4_096 };
  const small = await startGateway({ manifests: fiveAccounts(provider), server: { limits } });
  t.after(() => small[Symbol.asyncDispose]());
  const socket = new ResponsesWS(new OpenAI({ apiKey: KEY, baseURL: `${small.url}/v1`, maxRetries: 0 }));
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.socket.on('open', resolve as never));
  const seen: { type: string; status: number; error: { code: string; message: string } }[] = [];
  socket.socket.on('message', (data: Buffer) => seen.push(JSON.parse(data.toString())));
  const closed = once(socket.socket as never, 'close');
  socket.socket.send(JSON.stringify({ type: 'response.create', model: TRANSLATED[0], input: 'x'.repeat(5_000) }));
  const [code] = await closed;
  assert.equal(code, 1009);
  assert.deepEqual(
    seen.map(({ type, status, error }) => [type, status, error.code]),
    [['error', 413, 'body_too_large']],
  );
  assert.match(seen[0]!.error.message, /limits\.max_body_bytes: 4096/);
});

test('a turn that failed leaves nothing on the socket to go on from', async () => {
  const socket = new ResponsesWS(client);
  const model = TRANSLATED[0]!;
  const first = (await turnOf(socket, { model, input: 'Hi', store: false })).at(-1);
  assert.equal(first?.type, 'response.completed');
  const goOn = { model, previous_response_id: first.response.id, store: false };
  const orphan = { type: 'function_call_output' as const, call_id: 'call_nobody', output: '12 degrees' };
  await assert.rejects(turnOf(socket, { ...goOn, input: [orphan] }), /call_nobody/);
  await assert.rejects(turnOf(socket, { ...goOn, input: 'And now?' }), /previous_response_id/);
  assert.equal((await turnOf(socket, { model, input: 'Hi', store: false })).at(-1)?.type, 'response.completed');
  socket.close();
});

test('the SDK’s stream of a socket ends when the socket does', async () => {
  const socket = new ResponsesWS(client);
  const seen: string[] = [];
  for await (const message of socket) {
    seen.push(message.type);
    if (message.type === 'open') socket.send({ type: 'response.create', model: TRANSLATED[0]!, input: 'Hi' } as never);
    if (message.type === 'message' && message.message.type === 'response.completed') socket.close();
  }
  assert.ok(seen.includes('message'));
  assert.equal(seen.at(-1), 'close');
});

test('a key that is not known opens no socket of the SDK', async () => {
  const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const [error] = await once(new ResponsesWS(stranger) as never, 'error');
  assert.match(String(error), /401/);
});
