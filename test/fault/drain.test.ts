import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { brokenOff } from '../support/broken-off.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { eventually, type GatewayOptions, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { portIsFree } from '../support/held-streams.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, chatRequest, RawClient } from '../support/raw-client.ts';
import { byModel, openAccount, startEvents } from '../support/scripted-provider.ts';

const STREAMS = 200;
/** By `user`: streams that have begun and wait for the test. */
const open = new Map<string, ServerResponse[]>();

let provider: FakeProvider;
before(async () => {
  provider = await startProvider(
    byModel({
      stream: (request, response) => {
        startEvents(response);
        response.write(chunkEvent({ content: 'begun' }));
        const { user } = JSON.parse(request.body.toString());
        open.set(user, [...(open.get(user) ?? []), response]);
      },
      whole: (request, response) => {
        const { user } = JSON.parse(request.body.toString());
        open.set(user, [...(open.get(user) ?? []), response]);
      },
    }),
  );
});
after(() => provider?.[Symbol.asyncDispose]());

const start = (options: GatewayOptions = {}): Promise<RunningGateway> =>
  startGateway({ ...options, manifests: [openAccount('p', `${provider.origin}/v1`)] });

async function openStreams(gateway: RunningGateway, user: string, count: number): Promise<ChatStream[]> {
  const clients = Array.from(
    { length: count },
    () => new ChatStream(gateway, { model: 'p/stream', messages, stream: true, user }),
  );
  for (const client of clients) await client.until('begun');
  return clients;
}

const ready = async (gateway: RunningGateway) => (await fetch(`${gateway.operatorUrl}/readyz`)).status;

describe('a gateway that gets SIGTERM', () => {
  test(`SIGTERM cuts none of ${STREAMS} open streams, takes no new connection, and ends with exit code 0`, async (t) => {
    const gateway = await start({ server: { threads: 2 } });
    t.after(gateway[Symbol.asyncDispose]);
    const clients = await openStreams(gateway, 'many', STREAMS);
    const whole = ask(gateway, { model: 'p/whole', messages, user: 'many-whole' });
    await eventually('the whole one is under way', () => open.has('many-whole'));
    assert.equal(await ready(gateway), 200);
    gateway.process.kill('SIGTERM');
    await eventually('it takes no connection', () => portIsFree(gateway));
    assert.equal(await ready(gateway), 503);
    assert.equal(gateway.process.exitCode, null);
    for (const response of open.get('many')!) {
      response.write(chunkEvent({ content: 'after the signal' }));
      response.end(DONE_EVENT);
    }
    for (const client of clients) {
      assert.equal(await client.ended(), 'whole');
      assert.match(client.text(), /begun.*after the signal.*\[DONE\]/s);
    }
    assert.equal(gateway.process.exitCode, null, 'a whole answer is still awaited');
    sendJson(open.get('many-whole')![0]!, 200, completion('whole'));
    assert.equal(await (await whole).text(), JSON.stringify(completion('whole')));
    const code = await gateway.exited;
    const { signalCode } = gateway.process;
    assert.deepEqual({ code, signalCode }, { code: 0, signalCode: null }, gateway.output().slice(-2000));
    // What was still to be written is in the log.
    assert.equal(gateway.records({ 'gen_ai.request.model': 'p/stream', 'sluice.outcome': 'ok' }).length, STREAMS);
  });

  test('a request on a connection that is open already gets 503 with retry-after while the gateway drains', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    const [client] = await openStreams(gateway, 'kept', 1);
    const kept = await RawClient.open(gateway);
    kept.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await kept.answer();
    const behind = kept.text().length;
    gateway.process.kill('SIGTERM');
    await eventually('it drains', async () => (await ready(gateway)) === 503 && portIsFree(gateway));
    kept.send(chatRequest({ model: 'p/whole', messages }));
    const text = (await kept.until((received) => received.includes('draining'))).slice(behind);
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /^retry-after: \d+\r$/im);
    await kept.closed;
    open.get('kept')![0]!.end(DONE_EVENT);
    assert.equal(await client!.ended(), 'whole');
    assert.equal(await gateway.exited, 0);
  });

  test('a body that is still being sent is read and answered while the gateway drains', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    const body = JSON.stringify({ model: 'p/whole', messages, user: 'uploading' });
    const client = await RawClient.open(gateway);
    client.send(chatHead([`content-length: ${body.length}`]) + body.slice(0, 20));
    await eventually('it is in flight', async () => (await gateway.metric('sluice_in_flight')) === 1);
    gateway.process.kill('SIGTERM');
    await eventually('it takes no connection', () => portIsFree(gateway));
    client.send(body.slice(20));
    await eventually('the provider is asked', () => open.has('uploading'));
    sendJson(open.get('uploading')![0]!, 200, completion('whole'));
    assert.equal((await client.answer()).status, 200);
    assert.equal(await gateway.exited, 0);
  });

  test('SIGTERM ends a gateway without open exchanges at once', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    // An idle connection does not count.
    const idle = await RawClient.open(gateway);
    const startedAt = performance.now();
    assert.equal(await gateway.stop(), 0);
    // Nothing is waited for: drain_ms is half a minute.
    assert.ok(performance.now() - startedAt < 10_000);
    idle.leave();
  });

  test('an exchange that is open at the drain deadline is cut with an error event, and the exit code is 0', async (t) => {
    const gateway = await start({ server: { timeouts: { drain_ms: 700 } } });
    t.after(gateway[Symbol.asyncDispose]);
    const [client] = await openStreams(gateway, 'deadline', 1);
    const whole = ask(gateway, { model: 'p/whole', messages, user: 'deadline-whole' });
    await eventually('the whole one is under way', () => open.has('deadline-whole'));
    const startedAt = performance.now();
    gateway.process.kill('SIGTERM');
    const { code, before } = await brokenOff(client!);
    const drainedMs = performance.now() - startedAt;
    assert.equal(code, 'draining');
    assert.match(before, /begun/);
    assert.ok(drainedMs >= 680 && drainedMs < 3_000, `${drainedMs} ms`);
    const refused = await whole;
    assert.equal(refused.status, 503);
    assert.equal((await errorOf(refused)).code, 'draining');
    assert.equal(await gateway.exited, 0);
    assert.equal(gateway.records({ 'error.type': 'draining' }).length, 2);
  });

  test('a second SIGTERM ends a draining gateway at once', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    const [client] = await openStreams(gateway, 'twice', 1);
    gateway.process.kill('SIGTERM');
    await eventually('it takes no connection', () => portIsFree(gateway));
    gateway.process.kill('SIGTERM');
    assert.notEqual(await gateway.exited, 0);
    assert.equal(await client!.ended(), 'cut');
  });

  test('SIGINT drains as SIGTERM does', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    const [client] = await openStreams(gateway, 'interrupt', 1);
    gateway.process.kill('SIGINT');
    await eventually('it takes no connection', () => portIsFree(gateway));
    open.get('interrupt')![0]!.end(DONE_EVENT);
    assert.equal(await client!.ended(), 'whole');
    assert.equal(await gateway.exited, 0);
  });

  test('a usage that is still being estimated at SIGTERM is logged before the end', async (t) => {
    const gateway = await start();
    t.after(gateway[Symbol.asyncDispose]);
    const headers = { 'x-request-id': 'estimated' };
    const client = new ChatStream(gateway, { model: 'p/stream', messages, stream: true, user: 'est' }, { headers });
    await client.until('begun');
    open.get('est')![0]!.end(DONE_EVENT);
    await client.ended();
    assert.equal(await gateway.stop(), 0);
    assert.equal((await recordOf(gateway, 'estimated'))['sluice.usage.source'], 'estimate');
  });
});
