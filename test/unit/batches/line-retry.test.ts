import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CollectedAnswer } from '../../../src/batches/collected-answer.ts';
import { retryOf } from '../../../src/batches/line-retry.ts';
import { GatewayError } from '../../../src/core/errors.ts';

const answer = (status: number, headers: string[] = [], error?: GatewayError): CollectedAnswer => ({
  status,
  headers,
  body: Buffer.alloc(0),
  error,
});
const NOW = Date.parse('2026-01-01T00:00:00Z');

test('an answer, and a refusal that stands, are not asked for again', () => {
  for (const status of [200, 400, 401, 403, 404, 422]) assert.equal(retryOf(answer(status), 1, 0, 4), undefined);
  const spent = new GatewayError('budget_exceeded', { retryAfterMs: 1_000 });
  assert.equal(retryOf(answer(429, [], spent), 1, 0, 4), undefined);
  const unpaid = new GatewayError('upstream_rate_limited', { upstreamCode: 'insufficient_quota' });
  assert.equal(retryOf(answer(429, [], unpaid), 1, 0, 4), undefined);
  assert.equal(retryOf(answer(200, [], new GatewayError('upstream_too_large')), 1, 0, 4), undefined);
});

test('a failure is tried again until its tries are used up, a busy provider without end', () => {
  assert.equal(retryOf(answer(500), 1, 0, 2)?.counts, true);
  assert.equal(retryOf(answer(500), 2, 1, 2), undefined);
  assert.equal(retryOf(answer(429), 50, 1, 2)?.counts, false);
  const full = new GatewayError('overloaded', { retryAfterMs: 5 });
  assert.deepEqual(retryOf(answer(503, [], full), 1, 1, 2), { delayMs: 5, isTold: true, counts: false });
});

test('the wait is what retry-after says in seconds, milliseconds or as a date, an hour at the most, and else grows to a minute', () => {
  const wait = (...headers: string[]) => retryOf(answer(429, headers), 1, 0, 4, NOW)?.delayMs;
  assert.equal(wait('retry-after', '7'), 7_000);
  assert.equal(wait('retry-after', '7', 'retry-after-ms', '250'), 250);
  assert.equal(wait('retry-after', 'Thu, 01 Jan 2026 00:00:05 GMT'), 5_000);
  assert.equal(wait('retry-after', '600'), 600_000);
  assert.equal(wait('retry-after', '9999'), 3_600_000);
  assert.equal(retryOf(answer(500), 11, 0, 99)?.delayMs, 60_000);
  const first = retryOf(answer(500), 1, 0, 99)?.delayMs ?? 0;
  assert.ok(first >= 500 && first <= 1_000, String(first));
  const later = retryOf(answer(500), 6, 0, 99)?.delayMs ?? 0;
  assert.ok(later >= 16_000 && later <= 32_000, String(later));
});
