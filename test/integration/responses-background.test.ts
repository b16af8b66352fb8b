import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import {
  type Answer,
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { byModel, gate, givenUp, openAccount, startEvents } from '../support/scripted-provider.ts';

const passed = readFileSync(join(import.meta.dirname, '../fixtures/responses/text.sse'));

let goOn = gate();
let left = gate<number>();
const slow: Answer = async (request, response) => {
  if (JSON.parse(request.body.toString()).stream !== true) {
    sendJson(response, 200, completion('At once'));
    return;
  }
  startEvents(response);
  response.write(chunkEvent({ content: 'Slow ' }));
  givenUp(response).then(left.open);
  await goOn.promise;
  response.end(chunkEvent({ content: 'and steady' }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
};

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

const keys = [
  { name: 'test', key: KEY, subject: 'virtualaccount:test' },
  { name: 'other', key: 'other key', subject: 'user:other@example.com' },
];
const start = (more: object = {}) =>
  startGateway({
    keys,
    manifests: [
      openAccount('chats', `${provider.origin}/v1`),
      openAccount('own', `${provider.origin}/v1`, {
        integrations: [
          { name: 'gpt', type: 'integration/model/openai', model_id: 'passed', model_types: ['chat', 'responses'] },
        ],
      }),
    ],
    server: { threads: 2 },
    ...more,
  });

before(async () => {
  provider = await startProvider(
    byModel({
      slow,
      passed: (_request, response) => {
        startEvents(response);
        response.end(passed);
      },
      broken: (_request, response) => {
        startEvents(response);
        response.write(chunkEvent({ content: 'Half' }));
        setImmediate(() => response.destroy());
      },
      refused: (_request, response) =>
        sendJson(response, 400, { error: { message: 'Not like this.', type: 'invalid_request_error', code: 'odd' } }),
    }),
  );
  gateway = await start();
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
after(async () => {
  goOn.open();
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

const status = async (id: string) => (await client.responses.retrieve(id)).status!;
const ended = async (id: string) => {
  await eventually('it has ended', async () => !['queued', 'in_progress'].includes(await status(id)));
  return client.responses.retrieve(id);
};
const runs = (id: string) => eventually('it is made', async () => (await status(id)) === 'in_progress');
const collected = async (stream: AsyncIterable<ResponseStreamEvent>) => {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
};
const rest = () => {
  goOn = gate();
  left = gate<number>();
};

describe('an answer in the background', () => {
  test('an answer in the background is queued, in progress and completed, while nobody waits for it', async () => {
    rest();
    const queued = await client.responses.create({ model: 'chats/slow', input: 'Hi', background: true });
    assert.deepEqual([queued.status, queued.background, queued.output.length], ['queued', true, 0]);
    await runs(queued.id);
    goOn.open();
    const response = await ended(queued.id);
    assert.deepEqual([response.status, response.output_text], ['completed', 'Slow and steady']);
    assert.deepEqual([response.id, response.background], [queued.id, true]);
    assert.equal(response.usage?.total_tokens, 12);
    const asked = JSON.parse(provider.requests.at(-1)!.body.toString());
    assert.deepEqual([asked.stream, asked.background], [true, undefined]);
    const records = { 'http.route': '/responses', 'http.request.method': 'POST' };
    await eventually('it is in the records', () => gateway.records(records).length > 0);
    const [record, ...others] = gateway.records(records);
    assert.equal(others.length, 0);
    assert.equal(`resp_${record?.['sluice.exchange.id']}`, queued.id, JSON.stringify(record));
  });

  test('an answer in the background is told in events as they come, and again from any of them on', async () => {
    rest();
    goOn.open();
    const asked = { model: 'chats/slow', input: 'Hi', background: true, stream: true } as const;
    const events = await collected(await client.responses.create(asked));
    const numbers = events.map(({ sequence_number }) => sequence_number);
    assert.deepEqual(numbers, [...numbers.keys()]);
    const [first] = events;
    const last = events.at(-1);
    assert.ok(first?.type === 'response.created' && last?.type === 'response.completed');
    assert.equal(first.response.id, last.response.id);
    assert.equal(last.response.background, true);
    const { id } = last.response;
    assert.deepEqual(await collected(await client.responses.retrieve(id, { stream: true })), events);
    const again = await client.responses.retrieve(id, { stream: true, starting_after: 3 });
    assert.deepEqual(await collected(again), events.slice(4));
    const behind = await client.responses.retrieve(id, { stream: true, starting_after: numbers.at(-1)! });
    assert.deepEqual(
      (await collected(behind)).map(({ type }) => type),
      ['response.completed'],
    );
  });

  test('an answer in the background goes on when the client that was told its events has left, and is told to whoever comes back', async () => {
    rest();
    const asked = { model: 'chats/slow', input: 'Hi', background: true, stream: true } as const;
    const stream = await client.responses.create(asked);
    let id = '';
    let number = -1;
    for await (const event of stream) {
      if (event.type === 'response.created') id = event.response.id;
      number = event.sequence_number;
      if (event.type === 'response.output_text.delta') break;
    }
    const behind = client.responses.retrieve(id, { stream: true, starting_after: number });
    const rest_ = collected(await behind);
    goOn.open();
    const events = await rest_;
    assert.equal(events[0]?.sequence_number, number + 1);
    assert.equal(events.at(-1)?.type, 'response.completed');
  });

  test('an answer in the background passes from a provider of this form, under an id of the gateway', async () => {
    const queued = await client.responses.create({ model: 'own/gpt', input: 'Hi', background: true });
    const response = await ended(queued.id);
    assert.equal(response.status, 'completed');
    assert.notEqual(response.output_text, '');
    assert.deepEqual([response.id, response.background], [queued.id, true]);
    const asked = JSON.parse(provider.requests.at(-1)!.body.toString());
    assert.deepEqual([asked.stream, asked.background], [true, false]);
    const next = await client.responses.create({
      model: 'own/gpt',
      input: 'Again',
      previous_response_id: queued.id,
      background: true,
    });
    await ended(next.id);
    const again = JSON.parse(provider.requests.at(-1)!.body.toString());
    assert.equal(again.previous_response_id, null);
    assert.equal(again.input.length, response.output.length + 2);
  });

  test('an answer in the background is cancelled once and again, on any thread, and its provider is left', async () => {
    rest();
    const queued = await client.responses.create({ model: 'chats/slow', input: 'Hi', background: true });
    await runs(queued.id);
    assert.equal((await client.responses.cancel(queued.id)).status, 'cancelled');
    assert.equal((await client.responses.cancel(queued.id)).status, 'cancelled');
    await left.promise;
    assert.equal((await client.responses.retrieve(queued.id)).status, 'cancelled');
    goOn.open();
  });

  test('a stream of an answer in the background that is cancelled ends with an event that holds the answer as cancelled', async () => {
    rest();
    const asked = { model: 'chats/slow', input: 'Hi', background: true, stream: true } as const;
    const stream = await client.responses.create(asked);
    let id = '';
    const types: string[] = [];
    let last: object = {};
    for await (const event of stream) {
      types.push(event.type);
      last = event;
      if (event.type === 'response.output_text.delta') {
        await client.responses.cancel(id);
      }
      if (event.type === 'response.created') id = event.response.id;
    }
    goOn.open();
    assert.equal(types.at(-1), 'response.cancelled');
    const { sequence_number: number, response } = last as {
      sequence_number: number;
      response: OpenAI.Responses.Response;
    };
    assert.equal(number, types.length - 1);
    assert.deepEqual([response.id, response.status], [id, 'cancelled']);
    const again: string[] = (await collected(await client.responses.retrieve(id, { stream: true }))).map(
      ({ type }) => type,
    );
    assert.equal(again.at(-1), 'response.cancelled');
  });

  test('a stream of an answer in the background that is deleted is cut behind an error event which says so', async () => {
    rest();
    const asked = { model: 'chats/slow', input: 'Hi', background: true, stream: true } as const;
    const stream = await client.responses.create(asked);
    let id = '';
    const told = async () => {
      for await (const event of stream) {
        if (event.type === 'response.created') id = event.response.id;
        if (event.type === 'response.output_text.delta') await client.responses.delete(id);
      }
    };
    await assert.rejects(told(), { code: 'not_found', message: /was deleted/ });
    goOn.open();
  });

  test('an answer that has ended stays as it is when it is cancelled, and one that somebody waited for cannot be', async () => {
    rest();
    goOn.open();
    const queued = await client.responses.create({ model: 'chats/slow', input: 'Hi', background: true });
    await ended(queued.id);
    assert.equal((await client.responses.cancel(queued.id)).status, 'completed');
    const waitedFor = await client.responses.create({ model: 'chats/slow', input: 'Hi' }).asResponse();
    const { id } = (await waitedFor.json()) as { id: string };
    await assert.rejects(client.responses.cancel(id), { status: 400, param: 'response_id' });
  });

  test('an answer that is deleted while it is made is made no further', async () => {
    rest();
    const queued = await client.responses.create({ model: 'chats/slow', input: 'Hi', background: true });
    await runs(queued.id);
    await client.responses.delete(queued.id);
    await left.promise;
    await assert.rejects(client.responses.retrieve(queued.id), { status: 404 });
    goOn.open();
  });

  test('an answer in the background fails with what its provider says, or what broke off', async () => {
    const refused = await client.responses.create({ model: 'chats/refused', input: 'Hi', background: true });
    const told = await ended(refused.id);
    assert.equal(told.status, 'failed');
    assert.match(told.error!.message, /Not like this/);
    const broken = await ended(
      (await client.responses.create({ model: 'chats/broken', input: 'Hi', background: true })).id,
    );
    assert.deepEqual([broken.status, broken.error?.code], ['failed', 'server_error']);
    const events = collected(await client.responses.retrieve(broken.id, { stream: true }));
    await assert.rejects(events, { code: 'upstream_cut' });
  });

  test('an answer that cannot be made in the background is refused at once: an unknown model, one that is not to be kept, one of somebody else', async () => {
    const asked = { input: 'Hi', background: true } as const;
    await assert.rejects(client.responses.create({ ...asked, model: 'nobody/none' }), { status: 404 });
    await assert.rejects(client.responses.create({ ...asked, model: 'chats/slow', store: false }), {
      status: 400,
      param: 'background',
    });
    rest();
    goOn.open();
    const mine = await client.responses.create({ ...asked, model: 'chats/slow' });
    const other = new OpenAI({ apiKey: 'other key', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    await assert.rejects(other.responses.retrieve(mine.id), { status: 404 });
    await assert.rejects(other.responses.cancel(mine.id), { status: 404 });
    await ended(mine.id);
  });

  test('events of an answer in the background that is silent are kept alive by lines that end no event', async (t) => {
    rest();
    const silent = await start({ server: { threads: 1, keepalive_comment_ms: 50 } });
    t.after(() => silent[Symbol.asyncDispose]());
    const answer = await fetch(`${silent.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chats/slow', input: 'Hi', background: true, stream: true }),
    });
    let told = '';
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      if (told.includes(': keep-alive')) goOn.open();
    }
    // SDKs for Go and Python take an empty line behind a comment for an event without data, and fail.
    assert.match(told, /^: keep-alive\n(?!\n)/m);
    assert.doesNotMatch(told, /keep-alive\n\n/);
    assert.match(told, /"type":"response\.completed"/);
  });

  test('an answer in the background is failed when its gateway stops before its end, and says so after the restart', async () => {
    rest();
    const one = await start({ server: { threads: 1, timeouts: { drain_ms: 300 } } });
    const at = (url: string) => new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 });
    const stopped = await at(one.url).responses.create({ model: 'chats/slow', input: 'Hi', background: true });
    await one.stop();
    assert.equal(one.records({ 'sluice.outcome': 'client-closed' }).length, 0);
    assert.equal(one.records({ 'error.type': 'draining' })[0]?.['sluice.outcome'], 'cut');
    const other = await start({ folder: one.folder });
    try {
      const told = await at(other.url).responses.retrieve(stopped.id);
      assert.equal(told.status, 'failed');
      assert.match(told.error!.message, /stop|shut/i);
    } finally {
      goOn.open();
      await other[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
    }
  });
});
