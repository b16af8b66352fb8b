import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeadersOfInterest } from '../../../src/core/exchange.ts';
import { pushAnswerHeaders, requestHeaders } from '../../../src/upstream/forward-headers.ts';

const nothing: HeadersOfInterest = {
  contentType: undefined,
  accept: undefined,
  traceparent: undefined,
  tracestate: undefined,
  idempotencyKey: undefined,
  tfy: undefined,
  beta: undefined,
};

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);
}

function answered(headers: Record<string, string | string[] | undefined>): [string, string][] {
  const list: string[] = [];
  pushAnswerHeaders(list, headers);
  return pairs(list);
}

test('a provider gets its content type, accept, no compression, and what the account configures', () => {
  assert.deepEqual(pairs(requestHeaders(nothing, true, ['authorization', 'Bearer k', 'x-own', '1'])), [
    ['content-type', 'application/json'],
    ['accept', 'text/event-stream'],
    ['accept-encoding', 'identity'],
    ['authorization', 'Bearer k'],
    ['x-own', '1'],
  ]);
  assert.deepEqual(pairs(requestHeaders(nothing, false, []))[1], ['accept', 'application/json']);
});

test('only trace, idempotency and beta headers of the client pass', () => {
  const client: HeadersOfInterest = {
    contentType: 'text/plain',
    accept: '*/*',
    traceparent: '00-a-b-01',
    tracestate: 'x=1',
    idempotencyKey: 'i-1',
    tfy: { 'x-tfy-metadata': '{}' },
    beta: { 'openai-beta': 'b=1', 'anthropic-version': '2023-06-01' },
  };
  const names = pairs(requestHeaders(client, false, [])).map(([name]) => name);
  assert.deepEqual(names, [
    'content-type',
    'accept',
    'accept-encoding',
    'traceparent',
    'tracestate',
    'idempotency-key',
    'openai-beta',
    'anthropic-version',
  ]);
});

test('a tracestate without its traceparent does not pass', () => {
  assert.equal(requestHeaders({ ...nothing, tracestate: 'x=1' }, false, []).includes('tracestate'), false);
});

test('a client gets rate headers, retry-after and the request id under a name of its own', () => {
  assert.deepEqual(
    answered({
      'retry-after': '3',
      'x-ratelimit-limit-requests': '10',
      'x-ratelimit-remaining-tokens': ['5', '6'],
      'x-request-id': 'up',
      'anthropic-ratelimit-tokens-limit': '7',
    }),
    [
      ['retry-after', '3'],
      ['x-ratelimit-limit-requests', '10'],
      ['x-ratelimit-remaining-tokens', '5'],
      ['anthropic-ratelimit-tokens-limit', '7'],
      ['x-upstream-request-id', 'up'],
    ],
  );
  assert.deepEqual(answered({ 'request-id': 'req_1' }), [['x-upstream-request-id', 'req_1']]);
});

test('no other header of a provider reaches the client', () => {
  assert.deepEqual(
    answered({
      'set-cookie': ['a=1'],
      server: 'x',
      date: 'x',
      connection: 'close',
      'transfer-encoding': 'chunked',
      'content-length': '1',
      'www-authenticate': 'x',
      'x-powered-by': 'x',
      'access-control-allow-origin': '*',
      'openai-organization': 'secret-org',
      'retry-after-ms': '1',
      'x-ratelimit': '1',
      location: 'http://internal',
      alpha: undefined,
    }),
    [],
  );
});
