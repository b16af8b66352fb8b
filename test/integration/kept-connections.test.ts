import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, chatRequest, parseAnswer, RawClient } from '../support/raw-client.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const LARGE = 'x'.repeat(300_000);
const ALIVE = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

let provider: FakeProvider;
const gateways: RunningGateway[] = [];
let patient: RunningGateway;
let hasty: RunningGateway;
let once: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    const { model, stream } = JSON.parse(request.body.toString());
    if (!stream) sendJson(response, 200, completion(model === 'large' ? LARGE : 'hello'));
    else {
      startEvents(response);
      response.write(chunkEvent({ content: model === 'large' ? LARGE : 'hello' }));
      setImmediate(() => response.end(chunkEvent({}, 'stop') + DONE_EVENT));
    }
  });
  const start = async (server: Record<string, unknown>): Promise<RunningGateway> => {
    const manifests = [openAccount('p', `${provider.origin}/v1`)];
    const limits = { max_body_bytes: 5000 };
    const gateway = await startGateway({ server: { limits, log: { access: 'off' }, ...server }, manifests });
    gateways.push(gateway);
    return gateway;
  };
  patient = await start({});
  hasty = await start({ timeouts: { keep_alive_ms: 1500, body_ms: 1000 } });
  once = await start({ listen: { host: '127.0.0.1', port: 0, close_after_answer: true } });
});
after(async () => {
  await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
  await provider?.[Symbol.asyncDispose]();
});

const chat = (more: object = {}, headers: readonly string[] = []) =>
  chatRequest({ model: 'p/m', messages, ...more }, headers);

/** What came back to this one request, up to its end. */
async function exchange(client: RawClient, bytes: string): Promise<string> {
  const behind = client.text().length;
  client.send(bytes);
  const text = await client.until((all) => {
    const answer = all.slice(behind);
    return parseAnswer(answer) !== undefined || answer.endsWith('\r\n0\r\n\r\n');
  });
  return text.slice(behind);
}

/** Without the sizes of chunks. */
const plain = (text: string): string => text.replaceAll(/\r\n[0-9a-f]+\r\n/g, '');
const headOf = (text: string): string => text.slice(0, text.indexOf('\r\n\r\n')).toLowerCase();

describe('a connection between two requests', { concurrency: true }, () => {
  test('an idle connection is kept for longer than load balancers keep theirs, and says for how long', {
    timeout: 60_000,
  }, async () => {
    const kinds = [
      chat(),
      chat({ stream: true }),
      chat({ stream: true, model: 'p/large' }),
      ALIVE,
      'GET /no HTTP/1.1\r\nhost: x\r\n\r\n',
      chat({ model: 1 }),
    ];
    const clients = await Promise.all(kinds.map(() => RawClient.open(patient)));
    const ask = () =>
      Promise.all(
        clients.map(async (client, index) => {
          const head = headOf(await exchange(client, kinds[index]!));
          assert.match(head, /^keep-alive: timeout=75\r?$/m, kinds[index]);
          assert.match(head, /^connection: keep-alive\r?$/m);
        }),
      );
    await ask();
    // The addon by itself closes after 8 to 12 seconds.
    for (let rest = 0; rest < 2; rest += 1) {
      await wait(14_000);
      await ask();
    }
    for (const client of clients) client.leave();
  });

  test('an idle connection is closed by us when it has rested long enough, and not while it is used', {
    timeout: 30_000,
  }, async () => {
    const [used, resting, fresh] = await Promise.all([0, 1, 2].map(() => RawClient.open(hasty)));
    await exchange(resting!, chat());
    const from = performance.now();
    let closedAfter = 0;
    const closed = resting!.closed.then(() => {
      closedAfter = performance.now() - from;
    });
    while (closedAfter === 0) {
      assert.match(await exchange(used!, chat()), /hello/);
      await Promise.race([closed, wait(500)]);
    }
    assert.ok(closedAfter >= 1400, `after ${closedAfter} ms`);
    assert.ok(closedAfter < 8_000, `after ${closedAfter} ms: the addon, not we`);
    assert.match(await exchange(fresh!, ALIVE), /sluice/);
    used!.leave();
    fresh!.leave();
  });

  test('a connection that asked to be closed is closed, and is told of no time', { timeout: 60_000 }, async () => {
    for (const request of [chat({}, ['connection: close']), chat({ stream: true }, ['connection: close'])]) {
      const client = await RawClient.open(patient);
      client.send(request);
      await client.closed;
      assert.match(client.text(), /hello/);
      assert.doesNotMatch(headOf(client.text()), /keep-alive/);
    }
  });

  test('a connection whose request was refused before its body had come is closed behind the body', {
    timeout: 60_000,
  }, async () => {
    const client = await RawClient.open(patient);
    client.send(chatHead(['content-length: 6000']));
    assert.match(await client.until((text) => text.endsWith('}')), /^HTTP\/1\.1 413 /);
    client.send('x'.repeat(6000) + ALIVE);
    await client.closed;
    assert.equal(client.text().split('HTTP/1.1 ').length, 2, 'what stands behind it is not answered');
  });
});

describe('with close_after_answer', { concurrency: true }, () => {
  for (const [what, request, wanted] of [
    ['a whole answer', chat(), 'hello'],
    ['a large whole answer', chat({ model: 'p/large' }), LARGE],
    ['a stream', chat({ stream: true }), 'data: [DONE]\n\n'],
    ['a large stream', chat({ model: 'p/large', stream: true }), LARGE],
    ['a refusal', chat({ model: 1 }), 'invalid_parameter'],
    ['a refusal on the head', 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n', 'path_not_found'],
    ['what needs no key', ALIVE, 'sluice'],
  ] as const) {
    test(`${what} is the last of its connection with close_after_answer, says so once, and is whole`, {
      timeout: 60_000,
    }, async () => {
      const client = await RawClient.open(once);
      client.send(request);
      await client.closed;
      const text = client.text();
      assert.ok(plain(text).includes(wanted), text.slice(0, 500));
      assert.equal(headOf(text).match(/^connection: close\r?$/gm)?.length, 1);
      assert.doesNotMatch(headOf(text), /keep-alive/);
      assert.equal(text.split('HTTP/1.1 ').length, 2);
    });
  }
});

test('connections that come, go and break at any moment leave the gateway as it was', { timeout: 60_000 }, async () => {
  const parts = [
    ALIVE,
    ALIVE + ALIVE,
    chat(),
    chat({ stream: true }),
    chat().slice(0, -10),
    chat() + chat(),
    chatHead(['content-length: 6000']),
    `${chatHead(['content-length: 6000'])}${'x'.repeat(6000)}${ALIVE}`,
    chatHead(['content-length: 5'], 'wrong'),
    'HEAD / HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n',
    '\0\0\0',
    chat({}, ['connection: close']),
    `${chatHead(['transfer-encoding: chunked'])}5\r\nhello\r\n`,
  ];
  let random = 7;
  const below = (limit: number): number => {
    random = (random * 48271) % 2147483647;
    return random % limit;
  };
  const until = performance.now() + 9_000;
  const visit = async (): Promise<void> => {
    while (performance.now() < until) {
      const client = await RawClient.open(hasty);
      for (let part = below(4); part >= 0; part -= 1) {
        client.send(parts[below(parts.length)]!);
        await Promise.race([client.closed, wait(below(400))]);
      }
      // Some are left to rest until they are closed.
      if (below(3) > 0) client.leave();
    }
  };
  await Promise.all(Array.from({ length: 30 }, visit));
  assert.equal(hasty.process.exitCode, null);
  await eventually('nothing is in flight', async () => (await hasty.metric('sluice_in_flight')) === 0, 20_000);
  assert.equal(await hasty.metric('sluice_body_memory_bytes'), 0);
  const client = await RawClient.open(hasty);
  assert.match(await exchange(client, chat()), /hello/);
  client.leave();
  assert.doesNotMatch(hasty.output(), /uncaught|unhandled/);
});
