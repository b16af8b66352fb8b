import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutingLimits } from '../../../src/config/server/routing.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { HealthMemory, Place } from '../../../src/routing/place.ts';
import { viewOf } from '../../../src/routing/target-list.ts';
import { exampleTarget } from '../../support/targets.ts';

const laws: RoutingLimits = {
  consecutiveFailures: 3,
  failurePercent: 50,
  minRequests: 10,
  windowMs: 120_000,
  outMs: 10_000,
  maxOutMs: 40_000,
  slowStartMs: 30_000,
  retryBudgetPercent: 20,
  shareMs: 250,
  probeIntervalMs: 0,
  probeTimeoutMs: 10_000,
  maxProbes: 4,
};

/** A place on a clock that the test moves. */
function placeAt(startMs = 1_000_000, id = 'main/model') {
  let now = startMs;
  const memory = new HealthMemory(() => now);
  const target = { ...exampleTarget, id };
  const place = new Place(target, memory, laws);
  return {
    place,
    memory,
    /** The same place, as another thread sees it. */
    beside: () => new Place(target, new HealthMemory(() => now, memory.buffers), laws),
    pass: (ms: number) => {
      now += ms;
    },
    now: () => now | 0,
    state: () => place.availability(now | 0),
  };
}

const answered = (status: number, headers: Record<string, string> = {}) => ({ status, headers });
const FAILED = new GatewayError('upstream_failed');
const CUT = new GatewayError('upstream_cut');

function fail(place: Place, times: number): void {
  for (let each = 0; each < times; each += 1) {
    place.observer('none').asked();
    place.observer('none').failed(FAILED, answered(500));
  }
}

test('a target is out after so many failures in a row, for every thread, and not before', () => {
  const { place, beside, state } = placeAt();
  fail(place, 2);
  assert.equal(state(), 'open');
  fail(place, 1);
  assert.equal(state(), 'out');
  assert.equal(beside().availability(1_000_000), 'out');
});

test('an answer between them begins the row anew', () => {
  const { place, state } = placeAt();
  fail(place, 2);
  place.observer('none').contentCame();
  fail(place, 2);
  assert.equal(state(), 'open');
});

test('a target is out where too large a share of its requests fails within the window, though never in a row', () => {
  const { place, state } = placeAt();
  for (let each = 0; each < 5; each += 1) {
    assert.equal(state(), 'open');
    place.observer('none').asked();
    place.observer('none').contentCame();
    fail(place, 1);
  }
  assert.equal(state(), 'out');
});

test('failures of an earlier window do not count', () => {
  const { place, state, pass } = placeAt();
  for (let each = 0; each < 4; each += 1) {
    place.observer('none').asked();
    place.observer('none').contentCame();
    fail(place, 1);
  }
  pass(laws.windowMs + 1);
  place.observer('none').asked();
  place.observer('none').contentCame();
  fail(place, 1);
  assert.equal(state(), 'open');
});

test("the client's own 4xx, its own timeouts and faults of the gateway harm nobody", () => {
  const { place, state } = placeAt();
  const { failed } = place.observer('none');
  for (let each = 0; each < 10; each += 1) {
    failed(new GatewayError('upstream_rejected', { status: 400 }), answered(400));
    failed(new GatewayError('upstream_rejected', { status: 404 }), answered(404));
    failed(new GatewayError('first_token_timeout'), answered(200));
    failed(new GatewayError('attempt_timeout'), answered(200));
    failed(new GatewayError('out_of_sockets'), answered(200));
    failed(new GatewayError('upstream_queue_full'), answered(200));
  }
  assert.equal(state(), 'open');
});

test('cuts and timeouts of the gateway harm the target', () => {
  for (const code of ['upstream_cut', 'first_byte_timeout', 'connect_failed', 'upstream_protocol'] as const) {
    const { place, state } = placeAt();
    for (let each = 0; each < 3; each += 1) place.observer('none').failed(new GatewayError(code), answered(200));
    assert.equal(state(), 'out', code);
  }
});

test('401, 402 and 403 take the credential out at once, for every model of its account', () => {
  for (const status of [401, 402, 403]) {
    const { place, memory, state } = placeAt();
    place
      .observer('none')
      .failed(new GatewayError('upstream_credential', { upstreamStatus: status }), answered(status));
    assert.equal(state(), 'out');
    const other = new Place({ ...exampleTarget, id: 'main/other' }, memory, laws);
    assert.equal(other.availability(memory.now()), 'out');
  }
});

test('429 takes the credential out of this model alone, until the instant that the provider says, and no probe is needed', () => {
  const { place, memory, state, pass, now } = placeAt();
  place.observer('none').failed(new GatewayError('upstream_rate_limited'), answered(429, { 'retry-after': '7' }));
  assert.equal(state(), 'out');
  assert.equal(place.waitMs(now()), 7_000);
  const other = new Place({ ...exampleTarget, id: 'main/other' }, memory, laws);
  assert.equal(other.availability(now()), 'open');
  pass(7_000);
  assert.equal(state(), 'open');
});

test('when its time is over exactly one probe is let through, whatever thread asks', () => {
  const { place, beside, pass, state, now } = placeAt();
  fail(place, 3);
  pass(laws.outMs);
  assert.equal(state(), 'probe');
  const other = beside();
  const claims = [place.claim(now(), 'due'), other.claim(now(), 'due'), place.claim(now(), 'due')];
  assert.equal(claims.filter((each) => each !== undefined).length, 1);
  assert.equal(state(), 'out');
});

test('a probe that is answered brings the target back, slowly; one that fails keeps it out for twice as long', () => {
  const { place, pass, state, now } = placeAt();
  fail(place, 3);
  pass(laws.outMs);
  place.claim(now(), 'due')!.failed(CUT, answered(200));
  assert.equal(place.waitMs(now()), 2 * laws.outMs);
  pass(2 * laws.outMs);
  place.claim(now(), 'due')!.failed(CUT, answered(200));
  assert.equal(place.waitMs(now()), laws.maxOutMs, 'never longer than max_out_ms');
  pass(laws.maxOutMs);
  place.claim(now(), 'due')!.contentCame();
  assert.equal(state(), 'open');
  assert.equal(place.share(now()), 0.1);
  pass(laws.slowStartMs / 2);
  assert.equal(place.share(now()), 0.5);
  pass(laws.slowStartMs / 2);
  assert.equal(place.share(now()), 1);
});

test('a probe that nobody waited for, or that told of the request alone, lets the next one through', () => {
  const { place, pass, state, now } = placeAt();
  fail(place, 3);
  pass(laws.outMs);
  place.claim(now(), 'due')!.left();
  assert.equal(state(), 'probe');
  place.claim(now(), 'due')!.failed(new GatewayError('upstream_rejected', { status: 400 }), answered(400));
  assert.equal(state(), 'probe');
});

test('a probe of a thread that died is taken for lost after a while', () => {
  const { place, pass, state, now } = placeAt();
  fail(place, 3);
  pass(laws.outMs);
  assert.ok(place.claim(now(), 'due'));
  pass(121_000);
  assert.equal(state(), 'probe');
  assert.ok(place.claim(now(), 'due'));
});

test('an early probe that fails changes nothing of how long its target is out', () => {
  const { place, pass, now } = placeAt();
  fail(place, 3);
  pass(1_000);
  place.claim(now(), 'early')!.failed(CUT, answered(200));
  assert.equal(place.waitMs(now()), laws.outMs - 1_000);
});

test('retries are a share of the requests of a target, and a few are always allowed', () => {
  const { place } = placeAt();
  const observer = place.observer('none');
  for (let each = 0; each < 100; each += 1) observer.asked();
  let allowed = 0;
  for (let each = 0; each < 100; each += 1) if (observer.mayRetry()) allowed += 1;
  // The first question begins the window.
  assert.equal(allowed, 10);
  for (let each = 0; each < 100; each += 1) observer.asked();
  for (let each = 0; each < 100; each += 1) if (observer.mayRetry()) allowed += 1;
  assert.equal(allowed, 20);
});

test('a target that is out is not tried again', () => {
  const { place } = placeAt();
  fail(place, 3);
  assert.equal(place.observer('none').mayRetry(), false);
});

test('times of a clock past 32 bits are compared as they are', () => {
  for (const start of [2 ** 31 - 5_000, 2 ** 32 - 5_000, 1_764_000_000_000]) {
    const { place, pass, state } = placeAt(start);
    fail(place, 3);
    pass(laws.outMs - 1);
    assert.equal(state(), 'out');
    pass(1);
    assert.equal(state(), 'probe');
  }
});

test('an operator sees who is out, why and until when, and can reset it', () => {
  const { place, now, state } = placeAt();
  fail(place, 3);
  place.observer('none').answered(120, 10);
  place.observer('none').answered(120, 10);
  place.observer('none').answered(120, 10);
  const view = viewOf(place, now(), 0);
  assert.deepEqual([view.state, view.blamed, view.reason], ['out', 'target', 'status 500']);
  assert.equal(view.until, new Date(laws.outMs).toISOString());
  assert.ok(Math.abs(view.latency_ms.first_content.p50! - 120) < 24);
  assert.ok(Math.abs(view.latency_ms.per_token.p50! - 10) < 2);
  place.reset();
  assert.equal(state(), 'open');
});

test('percentiles are of the last minutes: older answers are forgotten', () => {
  const { place, pass, now } = placeAt();
  const { latency } = place;
  for (let each = 0; each < 100; each += 1) latency!.add('first-content', each < 95 ? 100 : 2_000, now());
  assert.ok(latency!.percentile('first-content', 0.5, now())! < 120);
  assert.ok(latency!.percentile('first-content', 0.99, now())! > 1_600);
  pass(91_000);
  assert.ok(latency!.percentile('first-content', 0.5, now())! < 120, 'the generation before still tells');
  pass(200_000);
  assert.equal(latency!.percentile('first-content', 0.5, now()), undefined);
});

test('an answer to what was asked before a limit does not lift it', () => {
  const { place, state } = placeAt();
  place.observer('none').failed(new GatewayError('upstream_rate_limited'), answered(429, { 'retry-after': '7' }));
  place.observer('none').contentCame();
  assert.equal(state(), 'out');
});

test('a probe of a credential that meets a failing target takes out neither at once', () => {
  const { place, pass, state, now } = placeAt();
  place.observer('none').failed(new GatewayError('upstream_credential', { upstreamStatus: 401 }), answered(401));
  pass(60_000);
  place.claim(now(), 'due')!.failed(FAILED, answered(500));
  assert.equal(state(), 'probe');
});
