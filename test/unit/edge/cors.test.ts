import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCors } from '../../../src/edge/cors.ts';

const origin = 'https://app.example';
const asObject = (list: readonly string[]) =>
  Object.fromEntries(Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index], list[2 * index + 1]]));

test('CORS is off by default: there is no header and no preflight', () => {
  const cors = makeCors(undefined);
  assert.equal(cors.enabled, false);
  assert.deepEqual(cors.onAnswer(origin), []);
  assert.deepEqual(cors.onPreflight(origin), []);
});

test('an allowed origin is named and may read the rate headers and ours, and caches are told that the answer depends on it', () => {
  const cors = makeCors({ allowedOrigins: [origin], maxAgeSeconds: 600 });
  const headers = asObject(cors.onAnswer(origin));
  assert.equal(headers['access-control-allow-origin'], origin);
  assert.equal(headers['vary'], 'origin');
  const exposed = (headers['access-control-expose-headers'] ?? '').split(', ');
  for (const name of [
    ...['x-request-id', 'x-sluice-exchange-id', 'x-tfy-resolved-model', 'x-tfy-applied-rules', 'server-timing'],
    ...['retry-after', 'retry-after-ms', 'x-should-retry', 'x-upstream-request-id'],
    ...['x-ratelimit-limit-requests', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-requests'],
    ...['anthropic-ratelimit-requests-limit', 'anthropic-ratelimit-input-tokens-remaining'],
  ])
    assert.ok(exposed.includes(name), name);
  assert.equal(headers['access-control-allow-credentials'], undefined);
});

test('another CORS origin, and no origin, get no header', () => {
  const cors = makeCors({ allowedOrigins: [origin], maxAgeSeconds: 600 });
  for (const other of [undefined, 'null', 'https://evil.example', `${origin}.evil.example`, origin.toUpperCase()]) {
    assert.deepEqual(cors.onAnswer(other), []);
    assert.deepEqual(cors.onPreflight(other), []);
  }
});

test('a star allows every CORS origin without naming it', () => {
  const headers = asObject(makeCors({ allowedOrigins: ['*'], maxAgeSeconds: 600 }).onAnswer(origin));
  assert.equal(headers['access-control-allow-origin'], '*');
  assert.equal(headers['vary'], undefined);
});

test('a preflight is told methods, headers (authorization by name: the star leaves it out) and how long it holds', () => {
  const headers = asObject(makeCors({ allowedOrigins: ['*'], maxAgeSeconds: 42 }).onPreflight(origin));
  assert.equal(headers['access-control-allow-methods'], 'GET, POST, OPTIONS');
  assert.match(headers['access-control-allow-headers'] ?? '', /authorization/);
  assert.equal(headers['access-control-max-age'], '42');
});
