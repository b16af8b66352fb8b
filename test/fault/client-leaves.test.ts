import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, type FakeProvider, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';
import { startUnacceptingListener, type UnacceptingListener } from '../support/unaccepting-listener.ts';

const anthropicEvents = [
  {
    type: 'message_start',
    message: { id: 'm', model: 'c', role: 'assistant', content: [], usage: { input_tokens: 1 } },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'begin' } },
]
  .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  .join('');

/** By `user`: when the request was there, and when its connection was closed by the gateway. */
const arrivals = new Map<string, () => void>();
const cancellations = new Map<string, (at: number) => void>();

let provider: FakeProvider;
let listener: UnacceptingListener;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response, incoming) => {
    const { model, user, metadata } = JSON.parse(request.body.toString());
    const name = user ?? metadata?.user_id;
    incoming.socket.once('close', () => cancellations.get(name)?.(performance.now()));
    arrivals.get(name)?.();
    if (model === 'silent') return;
    startEvents(response);
    if (model === 'claude') response.write(anthropicEvents);
    else response.write(chunkEvent({ content: 'begin' }));
    if (model !== 'flood') return;
    const piece = chunkEvent({ content: 'x'.repeat(10_000) });
    const more = (): void => {
      while (response.write(piece));
      response.once('drain', more);
    };
    more();
  });
  listener = await startUnacceptingListener();
  gateway = await startGateway({
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      openAccount('unaccepting', `http://127.0.0.1:${listener.port}/v1`),
      { type: 'provider-account/anthropic', name: 'a', base_url: provider.origin },
    ],
  });
});
disposeAfter(() => [gateway, provider, listener]);

interface Case {
  readonly model: string;
  readonly stream: boolean;
  readonly paused?: true;
}

/** Milliseconds from the client's leaving to the close of the provider's connection. */
async function cancelledAfter(name: string, { model, stream, paused }: Case): Promise<number> {
  const arrived = new Promise<void>((resolve) => arrivals.set(name, resolve));
  const cancelled = new Promise<number>((resolve) => cancellations.set(name, resolve));
  const client = new ChatStream(
    gateway,
    { model, messages, stream, user: name },
    { headers: { 'x-request-id': name }, ...(paused && { paused }) },
  );
  await arrived;
  if (paused) await client.head();
  else if (stream && !model.endsWith('silent')) await client.until('begin');
  const leftAt = performance.now();
  client.leave();
  return (await cancelled) - leftAt;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

describe('a client that leaves', () => {
  for (const [what, one] of [
    ['in the middle of a stream', { model: 'p/talks', stream: true }],
    ['while a stream has not begun', { model: 'p/silent', stream: true }],
    ['while it waits for a whole answer', { model: 'p/silent', stream: false }],
    ['in the middle of a translated stream', { model: 'a/claude', stream: true }],
    ['while the provider is paused because it reads nothing', { model: 'p/flood', stream: true, paused: true }],
  ] as const) {
    test(`a client that leaves ${what} cancels its upstream attempt within 100 ms`, { timeout: 20_000 }, async () => {
      const times: number[] = [];
      // The machine may be busy for a moment: most of them must be in time.
      for (let turn = 0; turn < 7; turn += 1)
        times.push(await cancelledAfter(`${what} ${turn}`.replaceAll(' ', '-'), one));
      assert.ok(median(times) <= 100, `${times.map(Math.round)} ms`);
    });
  }

  test('the record of an exchange whose client left says so', async () => {
    await cancelledAfter('left-1', { model: 'p/talks', stream: true });
    const record = await recordOf(gateway, 'left-1');
    assert.deepEqual(
      [record['http.response.status_code'], record['sluice.outcome'], record['error.type']],
      [499, 'client-closed', 'client_closed'],
    );
  });
});

describe('a client that leaves early', () => {
  test('a client that leaves while a connection to the provider is being made is forgotten', async () => {
    const client = new ChatStream(gateway, { model: 'unaccepting/m', messages });
    await eventually('it is in flight', async () => (await gateway.metric('sluice_in_flight')) === 1);
    client.leave();
    await eventually('it is not any more', async () => (await gateway.metric('sluice_in_flight')) === 0);
  });

  test('a client that leaves in the middle of its body never reaches the provider', async () => {
    const before = provider.requests.length;
    const client = await RawClient.open(gateway);
    client.send(`${chatHead(['content-length: 100000', 'x-request-id: half-body'])}{"model":"p/talks","messages":[`);
    await eventually('it is in flight', async () => (await gateway.metric('sluice_in_flight')) === 1);
    assert.ok((await gateway.metric('sluice_body_memory_bytes')) >= 100_000);
    client.leave();
    await eventually('it is not any more', async () => (await gateway.metric('sluice_in_flight')) === 0);
    assert.equal(await gateway.metric('sluice_body_memory_bytes'), 0);
    assert.equal(provider.requests.length, before);
    const record = await recordOf(gateway, 'half-body');
    assert.equal(record['http.response.status_code'], 499);
  });
});
