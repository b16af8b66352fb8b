import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, type ErrorCode, GatewayError } from '../../../src/core/errors.ts';
import { type AttemptOutcome, decide } from '../../../src/routing/retry-policy.ts';

function outcome(more: Partial<AttemptOutcome>): AttemptOutcome {
  return {
    error: new GatewayError('upstream_cut'),
    diedReused: false,
    retriedReused: false,
    refusedUsage: false,
    hasNextTarget: false,
    ...more,
  };
}

test('a reused connection that died is answered with one more try at the same target, once', () => {
  assert.equal(decide(outcome({ diedReused: true }), true), 'same-target');
  assert.equal(decide(outcome({ diedReused: true, retriedReused: true }), true), 'give-up');
  assert.equal(decide(outcome({ diedReused: true, retriedReused: true, hasNextTarget: true }), true), 'next-target');
});

test('the second try can be forbidden, since it may bill twice', () => {
  assert.equal(decide(outcome({ diedReused: true }), false), 'give-up');
});

test('a refusal that the gateway caused by asking for usage is answered with another try at the same target', () => {
  const error = new GatewayError('upstream_rejected', { status: 422 });
  assert.equal(decide(outcome({ error, refusedUsage: true }), false), 'same-target');
  assert.equal(decide(outcome({ error, refusedUsage: true, hasNextTarget: true }), true), 'same-target');
  assert.equal(decide(outcome({ error }), true), 'give-up');
});

test('without a next target there is nothing to fall back to', () => {
  assert.equal(decide(outcome({}), true), 'give-up');
});

test('for every error the table says whether another target may help', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const decided = decide(outcome({ error: new GatewayError(code), hasNextTarget: true }), true);
    assert.equal(decided, ERRORS[code].retry === 'never' ? 'give-up' : 'next-target', code);
  }
});

test('what the client did wrong is not tried again anywhere', () => {
  for (const code of ['invalid_json', 'model_forbidden', 'upstream_rejected', 'unsupported_parameter'] as const) {
    assert.equal(decide(outcome({ error: new GatewayError(code), hasNextTarget: true }), true), 'give-up');
  }
});
