import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteTarget, RoutingSettings } from '../../../src/config/rules/routing-settings.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { headerCredential } from '../../../src/providers/base/credential.ts';
import { mountAt, mountsOf } from '../../../src/providers/base/mount.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import type { Target } from '../../../src/providers/provider.ts';
import { BalancedRoute } from '../../../src/routing/balanced-route.ts';
import { HealthMemory } from '../../../src/routing/place.ts';
import { NO_WAITS, type PlanContext, type RoutePlan, type Step } from '../../../src/routing/route-plan.ts';
import { randomFrom } from '../../support/random.ts';
import { exampleTarget } from '../../support/targets.ts';

const laws = {
  consecutiveFailures: 3,
  failurePercent: 50,
  minRequests: 10,
  windowMs: 120_000,
  outMs: 10_000,
  maxOutMs: 40_000,
  slowStartMs: 0,
  retryBudgetPercent: 20,
  shareMs: 250,
  probeIntervalMs: 0,
  probeTimeoutMs: 10_000,
  maxProbes: 4,
};
const FAILED = new GatewayError('upstream_failed');

function mountsWith(key: string): Target['mounts'] {
  const credential = headerCredential(['authorization', `Bearer ${key}`]);
  return mountsOf([mountAt({ wire: openAiChatWire, url: 'https://provider.example', credential })]);
}

function context(more: Partial<PlanContext> = {}): PlanContext {
  return {
    waits: NO_WAITS,
    retry: undefined,
    subject: 'user:test',
    metadata: {},
    header: () => undefined,
    canAsk: () => true,
    conditionValues: () => ({
      subject: 'user:test',
      metadata: {},
      operation: 'chat',
      stream: true,
      body_bytes: 100,
      max_output_tokens: 0,
      hour: 12,
    }),
    complexity: () => ({ tier: 'simple', cause: 'signs' }),
    ...more,
  };
}

/** `keys`: credentials of each account. */
function routeOf(routing: Partial<RoutingSettings> & { targets: RouteTarget[] }, keys: readonly string[] = ['']) {
  let now = 5_000;
  const memory = new HealthMemory(() => now);
  const make = (of: HealthMemory) =>
    new BalancedRoute({
      model: 'group/model',
      isVirtual: true,
      routing: { strategy: 'weight', ...routing },
      targetsOf: (name) =>
        keys.map((key) => ({ ...exampleTarget, id: name, account: name.split('/')[0]!, mounts: mountsWith(key) })),
      memory: of,
      laws,
    });
  const route = make(memory);
  const plan = (more: Partial<PlanContext> = {}): RoutePlan => {
    const made = route.plan(context(more));
    assert.ok(!(made instanceof GatewayError));
    return made;
  };
  return {
    route,
    plan,
    first: (more: Partial<PlanContext> = {}): string => plan(more).first.target.id,
    /** As another thread has it. */
    beside: () => make(new HealthMemory(() => now, memory.buffers)),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const target = (name: string, more: Partial<RouteTarget> = {}): RouteTarget => ({
  target: `${name}/m`,
  fallbackCandidate: true,
  ...more,
});

function fails({ observer }: Step, status = 500): void {
  observer!.asked();
  observer!.failed(FAILED, { status, headers: {} });
}

test('weights hold within the statistical bound over 100,000 requests and two threads', () => {
  const { route, beside } = routeOf({
    targets: [target('a', { weight: 70 }), target('b', { weight: 25 }), target('c', { weight: 5 })],
  });
  const counts = new Map<string, number>();
  const requests = 100_000;
  const asked = context();
  for (const thread of [route, beside()]) {
    for (let each = 0; each < requests / 2; each += 1) {
      const plan = thread.plan(asked) as RoutePlan;
      const { id } = plan.first.target;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  for (const [id, share] of [
    ['a/m', 0.7],
    ['b/m', 0.25],
    ['c/m', 0.05],
  ] as const) {
    // Five standard deviations: one run of two million is beyond.
    const bound = 5 * Math.sqrt(requests * share * (1 - share));
    assert.ok(Math.abs(counts.get(id)! - requests * share) < bound, `${id}: ${counts.get(id)}`);
  }
});

test('priority falls back when the first is out, and returns to it when its probe was answered', () => {
  const { plan, first, pass } = routeOf({
    strategy: 'priority',
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 })],
  });
  for (let each = 0; each < 3; each += 1) fails(plan().first);
  assert.equal(first(), 'b/m');
  pass(laws.outMs);
  const probe = plan().first;
  assert.deepEqual([probe.target.id, probe.reason], ['a/m', 'probe']);
  assert.equal(first(), 'b/m', 'one probe is enough');
  probe.observer!.contentCame();
  assert.equal(first(), 'a/m');
});

test('a target that takes longer than its sla_cutoff is asked after those that do not', () => {
  const sla = { firstTokenMs: 300 };
  const { plan, first, pass } = routeOf({
    strategy: 'priority',
    targets: [target('a', { priority: 0, sla }), target('b', { priority: 1 })],
  });
  for (let each = 0; each < 3; each += 1) plan().first.observer!.answered(900, undefined);
  pass(600);
  assert.equal(first(), 'b/m');
  pass(300_000);
  assert.equal(first(), 'a/m', 'what was long ago says nothing');
});

test('each step is another target; those that are no fallback candidates are first or never asked', () => {
  const { plan } = routeOf({
    strategy: 'priority',
    targets: [
      target('a', { priority: 0 }),
      target('b', { priority: 1, fallbackCandidate: false }),
      target('c', { priority: 2 }),
    ],
  });
  const made = plan();
  assert.equal(made.step(1, 'target')?.target.id, 'c/m');
  assert.equal(made.step(1, 'target')?.target.id, 'c/m', 'the same index gives the same step');
  assert.equal(made.step(2, 'target'), undefined);
});

test('a target that is out is asked again only by a probe, which may come early where nothing else is left', () => {
  const { plan } = routeOf({
    strategy: 'priority',
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 })],
  });
  for (let each = 0; each < 3; each += 1) fails(plan().first);
  const made = plan();
  assert.equal(made.first.target.id, 'b/m');
  const early = made.step(1, 'target');
  assert.deepEqual([early?.target.id, early?.reason], ['a/m', 'last-resort']);
  assert.equal(plan().step(1, 'target'), undefined, 'somebody probes it already');
  early!.observer!.left();
});

test('everybody asks the target that is back first, when all are out', () => {
  const { plan, pass } = routeOf({
    strategy: 'priority',
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 })],
  });
  for (let each = 0; each < 3; each += 1) fails(plan().first);
  pass(1_000);
  for (let each = 0; each < 3; each += 1) fails(plan().first);
  assert.equal(plan().first.reason, 'last-resort');
  const all = [plan().first, plan().first, plan().first];
  assert.ok(all.every(({ target: { id } }) => id === 'a/m' || id === 'b/m'));
  assert.ok(all.some(({ reason }) => reason === 'all-out'));
});

test('a session stays with its target, sessions are shared by weight, and a target that is out moves only its own', () => {
  const sticky = { ttlMs: 60_000, identifiers: [{ source: 'headers' as const, key: 'x-user' }] };
  const { plan, first } = routeOf({ sticky, targets: [target('a', { weight: 75 }), target('b', { weight: 25 })] });
  const of = (user: number) => first({ header: () => `user-${user}` });
  const users = Array.from({ length: 2_000 }, (_, user) => user);
  const before = users.map(of);
  assert.deepEqual(users.map(of), before);
  const share = before.filter((id) => id === 'a/m').length / users.length;
  assert.ok(Math.abs(share - 0.75) < 0.05, String(share));
  const ofB = users.find((user) => before[user] === 'b/m')!;
  for (let each = 0; each < 3; each += 1) fails(plan({ header: () => `user-${ofB}` }).first);
  const after = users.map(of);
  assert.ok(users.every((user) => after[user] === 'a/m'));
  assert.equal(plan({ header: () => `user-${ofB}` }).first.reason, 'sticky');
});

test('latency-based routing favours the faster by the square, steadily, and still knows the slower', () => {
  const { plan, pass } = routeOf({ strategy: 'latency', targets: [target('fast'), target('slow')] });
  assert.equal(plan().first.reason, 'latency unknown');
  for (let each = 0; each < 200; each += 1) {
    const { observer, target: asked } = plan().first;
    observer!.answered(asked.id === 'fast/m' ? 200 : 400, 10);
  }
  pass(600);
  let slow = 0;
  for (let each = 0; each < 10_000; each += 1) if (plan().first.target.id === 'slow/m') slow += 1;
  // 1,200 ms against 1,400 ms until a hundred tokens came: a share of 42 %.
  assert.ok(slow > 3_500 && slow < 5_000, String(slow));
  const reasons = new Set(
    Array.from({ length: 50 }, () => plan().first).map(({ target: { id }, reason }) => `${id} ${reason}`),
  );
  assert.deepEqual([...reasons].sort(), ['fast/m latency 1300 ms', 'slow/m latency 1500 ms']);
});

test('a hedge is told as one, and what comes after a failure as a fallback', () => {
  const { plan } = routeOf({
    strategy: 'priority',
    hedge: { after: 100, maxRatePercent: 100 },
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 }), target('c', { priority: 2 })],
  });
  const made = plan();
  assert.equal(made.mayHedge!(), true);
  assert.equal(made.step(1)?.reason, 'hedge');
  assert.equal(made.step(2, 'target')?.reason, 'fallback');
});

test('hedges are at most their share of the requests, over all threads', () => {
  const hedge = { after: 100, maxRatePercent: 5 };
  const { plan, beside } = routeOf({
    strategy: 'priority',
    hedge,
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 })],
  });
  const other = beside();
  let hedges = 0;
  for (let each = 0; each < 1_000; each += 1) {
    const made = each % 2 === 0 ? plan() : (other.plan(context()) as RoutePlan);
    assert.equal(made.first.hedgeAfterMs, 100);
    if (made.mayHedge!()) hedges += 1;
  }
  assert.equal(hedges, 50);
});

test('a second attempt that did not begin is given back to the share of hedges', () => {
  const { plan } = routeOf({
    strategy: 'priority',
    hedge: { after: 100, maxRatePercent: 5 },
    targets: [target('a', { priority: 0 })],
  });
  const earned = Array.from({ length: 20 }, () => plan());
  for (const made of earned) {
    assert.equal(made.mayHedge!(), true, 'twenty requests have earned one');
    assert.equal(made.step(1), undefined);
    made.notHedged!();
  }
});

test('a target beside which nothing could be asked still has its other credentials when it fails', () => {
  const { plan } = routeOf(
    {
      strategy: 'priority',
      hedge: { after: 100, maxRatePercent: 100 },
      targets: [target('a', { priority: 0 })],
    },
    ['one', 'two'],
  );
  const made = plan();
  assert.equal(made.mayHedge!(), true);
  assert.equal(made.step(1), undefined, 'the same target is not asked beside itself');
  assert.equal(made.step(1, 'limited')?.reason, 'other-credential');
});

test('a hedge after a percentile waits until enough answers told it', () => {
  const hedge = { after: 'p95' as const, maxRatePercent: 5 };
  const { plan, pass } = routeOf({
    strategy: 'priority',
    hedge,
    targets: [target('a', { priority: 0 }), target('b', { priority: 1 })],
  });
  assert.equal(plan().first.hedgeAfterMs, undefined);
  for (let each = 0; each < 100; each += 1) plan().first.observer!.answered(200, 5);
  pass(600);
  const after = plan().first.hedgeAfterMs!;
  assert.ok(after > 150 && after < 260, String(after));
});

test('hedging at p95 cuts p99 of first content by half, at no more than 5 % more calls', () => {
  const random = randomFrom(95);
  /** First content of a target whose slowest twentieth takes from `p95Ms` to five times as long. */
  const drawn = (p95Ms: number): number => {
    const place = random();
    return place < 0.95 ? p95Ms * (0.1 + 0.9 * (place / 0.95) ** 4) : p95Ms * (1 + 80 * (place - 0.95));
  };
  const requests = 20_000;
  const run = (hedge: RoutingSettings['hedge']): { readonly p99Ms: number; readonly calls: number } => {
    const { plan, pass } = routeOf({
      strategy: 'priority',
      hedge,
      targets: [target('slow', { priority: 0 }), target('fast', { priority: 1 })],
    });
    const firstContents: number[] = [];
    let calls = 0;
    for (let each = 0; each < requests; each += 1) {
      pass(20);
      const made = plan();
      const { observer, hedgeAfterMs = Number.POSITIVE_INFINITY } = made.first;
      const slowMs = drawn(2_000);
      let wonMs = slowMs;
      calls += 1;
      observer!.asked();
      if (slowMs > hedgeAfterMs && made.mayHedge!()) {
        const second = made.step(1)!.observer!;
        const fastMs = drawn(200);
        calls += 1;
        second.asked();
        wonMs = Math.min(slowMs, hedgeAfterMs + fastMs);
        if (wonMs < slowMs) second.answered(fastMs, undefined);
        else second.left();
      }
      if (wonMs < slowMs) observer!.outrun(wonMs);
      else observer!.answered(slowMs, undefined);
      firstContents.push(wonMs);
    }
    firstContents.sort((one, other) => one - other);
    return { p99Ms: firstContents[Math.floor(requests * 0.99)]!, calls };
  };
  const without = run(undefined);
  const hedged = run({ after: 'p95', maxRatePercent: 5 });
  assert.equal(without.calls, requests);
  assert.ok(hedged.calls <= requests * 1.05, `${hedged.calls} calls`);
  assert.ok(hedged.p99Ms <= without.p99Ms / 2, `${hedged.p99Ms} against ${without.p99Ms} ms`);
});

test('only what the caller may use and what serves the operation is asked; where nothing is, the refusal names each', () => {
  const { route, plan } = routeOf({
    strategy: 'priority',
    targets: [target('a', { priority: 0 }), target('b', { priority: 1, metadataMatch: { region: 'EU' } })],
  });
  const notA = { canAsk: ({ id }: { id: string }) => id !== 'a/m' };
  assert.equal(plan({ ...notA, metadata: { region: 'EU' } }).first.target.id, 'b/m');
  const refused = route.plan(context(notA));
  assert.ok(refused instanceof GatewayError);
  assert.equal(refused.code, 'no_target');
  assert.match(refused.message, /`a\/m` may not be used.*`b\/m` is for requests of other metadata/);
});

test('a client that sets waits or retries of its own gets them in every step', () => {
  const { plan } = routeOf({ targets: [target('a', { weight: 1 })] });
  const waits = { attemptMs: 5, firstTokenMs: undefined };
  const retry = { maxRetries: 7, delayMs: 1, statuses: new Set([500]) };
  const { first } = plan({ waits, retry });
  assert.deepEqual([first.waits, first.retry], [waits, retry]);
  assert.equal(plan().first.retry.maxRetries, 2, 'and nobody else does');
});
