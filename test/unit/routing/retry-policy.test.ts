import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, type ErrorCode, GatewayError } from '../../../src/core/errors.ts';
import { type AttemptHistory, type Decision, decide } from '../../../src/routing/retry-policy.ts';

const CUT = new GatewayError('upstream_cut');
const UNBOUNDED = Number.POSITIVE_INFINITY;

function history(more: Partial<AttemptHistory> = {}): AttemptHistory {
  return {
    retry: { maxRetries: 0, delayMs: 0 },
    fallbackStatuses: undefined,
    status: undefined,
    retryAfterMs: undefined,
    retries: 0,
    mayRetry: () => true,
    // Neither sooner nor later than the plan says.
    chance: 0.5,
    diedReused: false,
    refusedUsage: false,
    mayRetryReused: true,
    ...more,
  };
}

const nextAfter = (more: Partial<AttemptHistory>, leftMs = UNBOUNDED): Decision['next'] =>
  decide(CUT, history(more), leftMs).next;

test('a reused connection that died is answered with one more try of the same step, at once', () => {
  assert.deepEqual(decide(CUT, history({ diedReused: true }), UNBOUNDED), { next: 'same-step', afterMs: 0 });
  assert.equal(nextAfter({ diedReused: true, mayRetryReused: false }), 'next-step');
});

test('a refusal that the gateway caused by asking for usage is answered with another try of the same step, at once', () => {
  const error = new GatewayError('upstream_rejected', { status: 422 });
  assert.deepEqual(decide(error, history({ refusedUsage: true, mayRetryReused: false }), 1), {
    next: 'same-step',
    afterMs: 0,
  });
  assert.equal(decide(error, history(), UNBOUNDED).next, 'give-up');
});

test('a step is tried again as often as its plan says, after the delay that the plan says', () => {
  const retry = { maxRetries: 2, delayMs: 100 };
  assert.deepEqual(decide(CUT, history({ retry }), UNBOUNDED), { next: 'same-step', afterMs: 100 });
  assert.equal(nextAfter({ retry, retries: 1 }), 'same-step');
  assert.equal(nextAfter({ retry, retries: 2 }), 'next-step');
});

test('a retry that could only begin behind the deadline is not made', () => {
  const retry = { maxRetries: 2, delayMs: 100 };
  assert.equal(nextAfter({ retry }, 101), 'same-step');
  assert.equal(nextAfter({ retry }, 100), 'next-step');
});

test('the error table says for every error whether another try may help', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { next } = decide(new GatewayError(code), history(), UNBOUNDED);
    assert.equal(next, ERRORS[code].retry === 'never' ? 'give-up' : 'next-step', code);
  }
});

test('an error of the client is not tried again anywhere', () => {
  const retry = { maxRetries: 5, delayMs: 0 };
  for (const code of ['invalid_json', 'model_forbidden', 'upstream_rejected', 'unsupported_parameter'] as const) {
    assert.equal(decide(new GatewayError(code), history({ retry }), UNBOUNDED).next, 'give-up');
  }
});
