import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, openAccount, startEvents } from '../support/scripted-provider.ts';

const REQUESTS = 1_000;

function rule(id: string, unit: string, limit: number, more: object = {}): object {
  return { id, when: { models: [`p/${id}`] }, unit, limit_to: limit, ...more };
}

const usage = (prompt: number, answer: number) => ({
  prompt_tokens: prompt,
  completion_tokens: answer,
  total_tokens: prompt + answer,
});

describe('rate limits over two relay threads', () => {
  const open: ServerResponse[] = [];
  let provider: FakeProvider;
  let gateway: RunningGateway;
  before(async () => {
    provider = await startProvider((request, response) => {
      const { model } = JSON.parse(request.body.toString());
      if (model.startsWith('tokens')) sendJson(response, 200, completion('hello', usage(40, 60)));
      else if (model.startsWith('open')) {
        startEvents(response);
        response.write(chunkEvent({ content: 'begun' }));
        open.push(response);
      } else sendJson(response, 200, completion('hello'));
    });
    gateway = await startGateway({
      server: { threads: 2, log: { access: 'off' } },
      manifests: [
        openAccount('p', `${provider.origin}/v1`),
        {
          type: 'gateway-rate-limiting-config',
          rules: [
            ...[1, 10, 100].map((limit) => rule(`requests-${limit}`, 'requests_per_hour', limit)),
            ...[1, 10, 100].map((limit) => rule(`open-${limit}`, 'concurrent_requests', limit)),
            rule('tokens', 'tokens_per_hour', 20_000),
          ],
        },
      ],
    });
  });
  disposeAfter(() => [gateway, provider]);

  for (const limit of [1, 10, 100]) {
    test(`exactly ${limit} of ${REQUESTS} concurrent requests pass`, { timeout: 60_000 }, async () => {
      const model = `p/requests-${limit}`;
      const statuses = await statusesOf(Array.from({ length: REQUESTS }, () => ask(gateway, { model, messages })));
      assert.deepEqual(statuses, { 200: limit, 429: REQUESTS - limit });
    });

    test(`exactly ${limit} of 200 concurrent streams are open at once`, { timeout: 60_000 }, async () => {
      open.length = 0;
      const model = `p/open-${limit}`;
      const streams = Array.from({ length: 200 }, () => new ChatStream(gateway, { model, messages, stream: true }));
      const heads = await Promise.all(streams.map((stream) => stream.head()));
      assert.equal(heads.filter(({ status }) => status === 200).length, limit);
      assert.equal(heads.filter(({ status }) => status === 429).length, 200 - limit);
      assert.equal(await gateway.metric('sluice_reservations_open'), limit);
      for (const answer of open) answer.end(DONE_EVENT);
      // Without usage they are estimated, which loads a vocabulary.
      const settled = async () => (await gateway.metric('sluice_reservations_open')) === 0;
      await eventually('all are settled', settled, 20_000);
      const again = new ChatStream(gateway, { model, messages, stream: true });
      assert.equal((await again.head()).status, 200);
      again.leave();
      await eventually('it is settled', settled, 20_000);
    });
  }

  test('tokens exceed their limit by no more than the error of the estimates of what was open together', async () => {
    let used = 0;
    let passed = 0;
    for (let round = 0; round < 6; round += 1) {
      const asked = Array.from({ length: 50 }, async () => {
        const response = await ask(gateway, { model: 'p/tokens', messages, max_tokens: 60 });
        const answer = JSON.parse(await response.text());
        if (response.status !== 200) return;
        passed += 1;
        used += answer.usage.total_tokens;
      });
      await Promise.all(asked);
    }
    // Each prompt of about 20 tokens by its bytes was billed as 40; at most 50 were open together.
    assert.ok(used <= 20_000 + 50 * 40, `${used} tokens`);
    assert.ok(used >= 20_000 - 100 - 50 * 100, `${used} tokens in ${passed} requests`);
    const response = await ask(gateway, { model: 'p/tokens', messages, max_tokens: 200 });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('x-ratelimit-limit-tokens'), '20000');
    assert.ok(Number(response.headers.get('x-ratelimit-remaining-tokens')) < 260);
  });
});

describe('a storm of all ways out', () => {
  let provider: FakeProvider;
  let gateway: RunningGateway;
  before(async () => {
    provider = await startProvider(
      byModel({
        good: (_request, response) => sendJson(response, 200, completion('hello')),
        bad: (_request, response) =>
          sendJson(response, 400, { error: { message: 'no', type: 'invalid_request_error' } }),
        broken: (_request, response) => sendJson(response, 500, { error: { message: 'no', type: 'server_error' } }),
        silent: () => {},
        cuts: (_request, response, incoming) => {
          startEvents(response);
          response.write(chunkEvent({ content: 'begun' }), () => incoming.socket.destroy());
        },
        talks: (_request, response) => {
          startEvents(response);
          response.write(chunkEvent({ content: 'begun' }));
        },
        stream: (_request, response) => {
          startEvents(response);
          response.end(chunkEvent({ content: 'all of it' }) + DONE_EVENT);
        },
      }),
    );
    gateway = await startGateway({
      server: { threads: 2, timeouts: { first_byte_ms: 300 }, log: { access: 'off' } },
      manifests: [
        openAccount('p', `${provider.origin}/v1`),
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'few', when: { models: ['p/good'] }, unit: 'requests_per_hour', limit_to: 20 }],
        },
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'open', unit: 'concurrent_requests', limit_to: 40, rate_limit_applies_per: ['user'] }],
        },
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'tokens', unit: 'tokens_per_day', limit_to: 10_000_000, rate_limit_applies_per: ['model'] }],
        },
        { type: 'gateway-budget-config', rules: [{ id: 'b', unit: 'cost_per_day', limit_to: 1000 }] },
      ],
    });
  });
  disposeAfter(() => [gateway, provider]);

  const plain = async (model: string, stream = false): Promise<void> => {
    const response = await ask(gateway, { model: `p/${model}`, messages, stream });
    await response.text().catch(() => 'cut');
  };
  const leaves = async (model: string): Promise<void> => {
    const client = new ChatStream(gateway, { model: `p/${model}`, messages, stream: true });
    if (model === 'talks' && (await client.head()).status === 200) await client.until('begun');
    client.leave();
    await client.ended();
  };
  const waysOut: (() => Promise<void>)[] = [
    () => plain('good'),
    () => plain('stream', true),
    () => plain('bad'),
    () => plain('broken'),
    () => plain('silent'),
    () => plain('cuts', true),
    () => plain('nowhere/else'),
    () => leaves('silent'),
    () => leaves('talks'),
  ];

  test('nothing is left reserved or in flight after a storm of all ways out', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(waysOut.flatMap((go) => Array.from({ length: 5 }, go)));
    }
    for (const metric of ['sluice_reservations_open', 'sluice_in_flight']) {
      await eventually(`${metric} is 0`, async () => (await gateway.metric(metric)) === 0);
    }
    // All 40 places are there again, and no more: each is told by a stream that stays.
    const streams = Array.from(
      { length: 60 },
      () => new ChatStream(gateway, { model: 'p/talks', messages, stream: true }),
    );
    const heads = await Promise.all(streams.map((stream) => stream.head()));
    assert.equal(heads.filter(({ status }) => status === 200).length, 40);
    for (const stream of streams) stream.leave();
    await eventually('all are settled', async () => (await gateway.metric('sluice_reservations_open')) === 0);
    // Metrics are up to half a second behind.
    await eventually('the refusals are counted', async () => {
      return (await gateway.metric('ai_gateway_rate_limit_applied_total', { ruleId: 'open' })) >= 20;
    });
  });

  test('a refusal says which rule refused, for whom and until when', async () => {
    const refused = await Promise.all(
      Array.from({ length: 21 }, () => ask(gateway, { model: 'p/good', messages })),
    ).then((responses) => responses.find(({ status }) => status === 429));
    assert.ok(refused);
    assert.equal(refused.headers.get('x-ratelimit-limit-requests'), '20');
    assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0');
    assert.match(refused.headers.get('x-ratelimit-reset-requests') ?? '', /^1h0m|^59m/);
    assert.ok(Number(refused.headers.get('retry-after')) > 3_500);
    const applied = JSON.parse(refused.headers.get('x-tfy-applied-rules') ?? '');
    assert.deepEqual(applied, { ratelimit: ['few', 'open', 'tokens'], budget: ['b'], refused: 'few' });
    const error = await errorOf(refused);
    assert.equal(error.code, 'rate_limited');
    assert.match(error.message, /`few` allows 20 requests_per_hour/);
  });
});

async function statusesOf(asked: Promise<Response>[]): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  for (const response of await Promise.all(asked)) {
    await response.text();
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  }
  return statuses;
}
