import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { chunkEvent, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const TIMEOUT_MS = 150;
/** The allowance of requests that wait on a machine that is busy with other tests. */
const SLACK_MS = 400;
const AWAY = 'Redis (store.counters) is away';
const BACK = 'Redis (store.counters) is back';

const rule = (id: string, unit: string, limit: number) => ({
  id,
  when: { models: [`p/${id}`] },
  limit_to: limit,
  unit,
});
const RULES = {
  name: 'limits',
  type: 'gateway-rate-limiting-config',
  rules: [
    rule('many', 'requests_per_hour', 1_000_000),
    rule('few', 'requests_per_hour', 5),
    rule('open', 'concurrent_requests', 3),
  ],
};

interface Answered {
  readonly status: number;
  readonly code: string | undefined;
  readonly ms: number;
}

describe('limits while Redis is away', { skip: redisSkip }, () => {
  let redis: RedisServer;
  let provider: FakeProvider;
  let running: RunningGateway[] = [];
  before(async () => {
    redis = await startRedis();
    provider = await startProvider((request, response) => {
      if (!request.body.includes('"stream":true')) {
        sendJson(response, 200, completion('hi'));
        return;
      }
      startEvents(response);
      response.write(chunkEvent({ content: 'begun' }));
    });
  });
  afterEach(async () => {
    await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
    running = [];
  });
  disposeAfter(() => [provider, redis]);

  async function start(counters: object): Promise<RunningGateway> {
    const gateway = await startGateway({
      server: {
        threads: 2,
        log: { access: 'off' },
        store: { counters: redis.url },
        counters: { timeout_ms: TIMEOUT_MS, ...counters },
      },
      manifests: [openAccount('p', `${provider.origin}/v1`), RULES],
    });
    running.push(gateway);
    return gateway;
  }

  async function answer(gateway: RunningGateway, model: string): Promise<Answered> {
    const began = performance.now();
    const response = await ask(gateway, { model, messages });
    const text = await response.text();
    const code = response.status === 200 ? undefined : JSON.parse(text).error.code;
    return { status: response.status, code, ms: performance.now() - began };
  }

  /** Twelve clients that ask again as soon as they were answered, while `meanwhile` happens. */
  async function underLoad(gateway: RunningGateway, meanwhile: () => Promise<void>): Promise<Answered[]> {
    const answers: Answered[] = [];
    let over = false;
    const clients = Array.from({ length: 12 }, async () => {
      while (!over) answers.push(await answer(gateway, 'p/many'));
    });
    await meanwhile();
    over = true;
    await Promise.all(clients);
    return answers;
  }
  const lines = (gateway: RunningGateway, text: string): number => gateway.output().split(text).length - 1;
  const away = (gateway: RunningGateway) => async () => (await gateway.metric('sluice_counters_away')) === 1;
  const back = (gateway: RunningGateway) => async () => (await gateway.metric('sluice_counters_away')) === 0;
  async function stopAndStart(gateway: RunningGateway): Promise<void> {
    await redis.stop();
    await eventually('the gauge says that it is away', away(gateway));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await redis.start();
    await eventually('the gauge says that it is back', back(gateway), 15_000);
  }

  it('with when_away local no request fails while Redis stops and starts under load, and one line tells each', async () => {
    const gateway = await start({ when_away: 'local' });
    const answers = await underLoad(gateway, () => stopAndStart(gateway));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    await eventually('both lines are there', () => lines(gateway, BACK) > 0);
    assert.deepEqual([lines(gateway, AWAY), lines(gateway, BACK)], [1, 1]);
    const said = gateway
      .output()
      .split('\n')
      .find((line) => line.includes(AWAY));
    assert.match(said ?? '', /"reason":"(the connection was closed|ECONNRESET|EPIPE|ECONNREFUSED)"/);
    const decided = await gateway.metric('sluice_counters_away_requests_total');
    assert.ok(decided > 0 && decided < answers.length, `${decided} of ${answers.length} were decided alone`);
  });

  it('with when_away local the limits of this machine hold, and go on from what Redis let in', async () => {
    const gateway = await start({ when_away: 'local' });
    for (let index = 0; index < 2; index += 1) assert.equal((await answer(gateway, 'p/few')).status, 200);
    await redis.stop();
    await eventually('it is away', away(gateway));
    const statuses = [];
    for (let index = 0; index < 5; index += 1) statuses.push((await answer(gateway, 'p/few')).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    await redis.start();
    await eventually('it is back', back(gateway), 15_000);
  });

  it('with when_away closed requests under a limit are 503 counters_away with retry-after, and others pass', async () => {
    const gateway = await start({ when_away: 'closed' });
    const answers = await underLoad(gateway, () => stopAndStart(gateway));
    const seen = new Set(answers.map(({ status, code }) => `${status} ${code ?? ''}`.trim()));
    assert.deepEqual(seen, new Set(['200', '503 counters_away']));
    await redis.stop();
    await eventually('it is away', away(gateway));
    const refused = await ask(gateway, { model: 'p/many', messages });
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal((await answer(gateway, 'p/without-a-rule')).status, 200);
    await redis.start();
  });

  it('with when_away open every request passes', async () => {
    const gateway = await start({ when_away: 'open' });
    await redis.stop();
    await eventually('it is away', away(gateway));
    for (let index = 0; index < 8; index += 1) assert.equal((await answer(gateway, 'p/few')).status, 200);
    await redis.start();
  });

  it('a Redis that hangs costs the first requests no more than timeout_ms, and later ones nothing', async (t) => {
    const gateway = await start({ when_away: 'local' });
    /** The slowest answer under load, and the median of requests that are sent once `since` is so. */
    const timesOnce = async (since: () => Promise<void>): Promise<{ slowest: number; later: number }> => {
      const later: Answered[] = [];
      const answers = await underLoad(gateway, async () => {
        await since();
        for (let index = 0; index < 20; index += 1) later.push(await answer(gateway, 'p/many'));
      });
      assert.deepEqual(new Set([...answers, ...later].map(({ status }) => status)), new Set([200]));
      later.sort((one, other) => one.ms - other.ms);
      return { slowest: Math.max(...answers.map(({ ms }) => ms)), later: later[10]!.ms };
    };
    /** What a hanging Redis adds, in terms of what it may: above 1 it is too much. */
    const late = await leastOf(1, async () => {
      const calm = await timesOnce(async () => {});
      redis.pause();
      const hung = await timesOnce(() => eventually('both threads have noticed', away(gateway))).finally(() =>
        redis.resume(),
      );
      t.diagnostic(`with Redis ${JSON.stringify(calm)}, while it hangs ${JSON.stringify(hung)}`);
      await eventually('it is back', back(gateway), 15_000);
      return Math.max(
        (hung.slowest - calm.slowest) / (TIMEOUT_MS + SLACK_MS),
        (hung.later - calm.later) / (TIMEOUT_MS / 2),
      );
    });
    assert.ok(late <= 1, `${late.toFixed(1)} times what is allowed`);
  });

  it('a gateway that starts without Redis serves, and asks Redis once it is there', async () => {
    await redis.stop();
    const gateway = await start({ when_away: 'local' });
    assert.equal((await answer(gateway, 'p/many')).status, 200);
    await eventually('it says that it is without', () => lines(gateway, AWAY) === 1);
    await redis.start();
    await eventually('it is there', back(gateway), 15_000);
    await eventually('it says that it has it', () => lines(gateway, BACK) === 1);
    assert.ok(!gateway.output().includes(`${redis.port}`), 'the address is in the log');
  });

  it('reservations of a killed gateway are free for the others within 15 s', async () => {
    const [killed, other] = await Promise.all([start({}), start({})]);
    await eventually('both ask Redis', async () => (await back(killed)()) && (await back(other)()), 10_000);
    const streams = Array.from(
      { length: 3 },
      () => new ChatStream(killed, { model: 'p/open', messages, stream: true }),
    );
    await Promise.all(streams.map((stream) => stream.until('begun')));
    assert.equal((await answer(other, 'p/open')).status, 429);
    const killedAt = performance.now();
    killed.process.kill('SIGKILL');
    await killed.exited;
    assert.equal((await answer(other, 'p/open')).status, 429);
    const free = async () => (await answer(other, 'p/open')).status === 200;
    await eventually('there is a place', free, 15_000 - (performance.now() - killedAt));
  });
});
