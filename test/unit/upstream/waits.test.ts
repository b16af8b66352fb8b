import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timeouts } from '../../../src/config/server/limits.ts';
import { NO_WAITS, type StepWaits } from '../../../src/routing/route-plan.ts';
import { Waits } from '../../../src/upstream/waits.ts';

const timeouts: Timeouts = {
  uploadMs: 0,
  bodyMs: 0,
  connectMs: 50,
  firstByteMs: 1000,
  idleMs: 200,
  totalMs: 5000,
  writeMs: 0,
  drainMs: 0,
  keepAliveMs: 0,
};

/** An exchange that began at 0, its attempt at 100; looked at by hand. */
function open(more: Partial<Timeouts> = {}, client: Partial<StepWaits> = {}): Waits {
  return new Waits({ ...timeouts, ...more }, { ...NO_WAITS, ...client }, 0, 100);
}

const SENT_AT = 110;

test('an attempt that waits for its connection times out after connect_ms', () => {
  const waits = open();
  assert.equal(waits.expired(150, 0, false), undefined);
  const error = waits.expired(151, 0, false);
  assert.equal(error?.code, 'connect_timeout');
  assert.equal(error?.context.setting, 'timeouts.connect_ms: 50');
});

test('connect_ms ends and first_byte_ms begins when the request is sent', () => {
  const waits = open();
  assert.equal(waits.expired(SENT_AT + 1000, SENT_AT, false), undefined);
  const error = waits.expired(SENT_AT + 1001, SENT_AT, false);
  assert.equal(error?.code, 'first_byte_timeout');
  assert.equal(error?.status, 504);
  assert.equal(error?.context.setting, 'timeouts.first_byte_ms: 1000');
});

test('idle_ms counts between two pieces of content once content came', () => {
  const waits = open();
  waits.content();
  assert.equal(waits.expired(2000, SENT_AT, false), undefined, 'first_byte_ms is over');
  assert.equal(waits.expired(2200, SENT_AT, false), undefined);
  waits.content();
  assert.equal(waits.expired(2250, SENT_AT, false), undefined);
  assert.equal(waits.expired(2450, SENT_AT, false), undefined);
  const error = waits.expired(2451, SENT_AT, false);
  assert.equal(error?.code, 'idle_timeout');
  assert.equal(error?.context.setting, 'timeouts.idle_ms: 200');
});

test('the idle timeout stands still while the provider is paused', () => {
  const waits = open();
  waits.content();
  waits.expired(1000, SENT_AT, false);
  for (let now = 1100; now <= 4000; now += 100) assert.equal(waits.expired(now, SENT_AT, true), undefined);
  assert.equal(waits.expired(4200, SENT_AT, false), undefined);
  assert.equal(waits.expired(4201, SENT_AT, false)?.code, 'idle_timeout');
});

test('total_ms counts from the beginning of the exchange, whatever else happens', () => {
  for (const paused of [false, true]) {
    const waits = open();
    waits.content();
    assert.equal(waits.expired(5000, SENT_AT, paused), undefined);
    waits.content();
    const error = waits.expired(5001, SENT_AT, paused);
    assert.equal(error?.code, 'total_timeout');
    assert.equal(error?.context.setting, 'timeouts.total_ms: 5000');
  }
});

test('a timeout of 0 means no limit', () => {
  const waits = open({ connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 });
  assert.equal(waits.expired(1e9, 0, false), undefined);
  assert.equal(waits.expired(1e9, SENT_AT, false), undefined);
  waits.content();
  assert.equal(waits.expired(1e9, SENT_AT, false), undefined);
  assert.equal(waits.expired(2e9, SENT_AT, false), undefined);
});

test('the client’s first-token timeout counts from the attempt, is its own fault, and ends with content', () => {
  const waits = open({}, { firstTokenMs: 300 });
  assert.equal(waits.expired(400, SENT_AT, false), undefined);
  const error = waits.expired(401, SENT_AT, false);
  assert.equal(error?.code, 'first_token_timeout');
  assert.equal(error?.status, 408);
  assert.equal(error?.context.setting, 'x-tfy-ttft-timeout-ms: 300');
  waits.content();
  assert.equal(waits.expired(450, SENT_AT, false), undefined);
});

test('the client’s timeout for an attempt goes on through content', () => {
  const waits = open({}, { attemptMs: 600 });
  waits.content();
  assert.equal(waits.expired(700, SENT_AT, false), undefined);
  waits.content();
  const error = waits.expired(701, SENT_AT, false);
  assert.equal(error?.code, 'attempt_timeout');
  assert.equal(error?.context.setting, 'x-tfy-request-timeout: 600');
});
