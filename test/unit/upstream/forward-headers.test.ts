import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeadersOfInterest } from '../../../src/core/exchange.ts';
import { localHeaders } from '../../../src/core/local-exchange.ts';
import { anthropicWire } from '../../../src/providers/anthropic-messages/wire.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import type { Mount } from '../../../src/providers/provider.ts';
import { pushAnswerHeaders, requestHeaders } from '../../../src/upstream/forward-headers.ts';

const nothing: HeadersOfInterest = { ...localHeaders({}), contentType: undefined };
const whole = { stream: false };

function mount(change: Partial<Pick<Mount, 'wire' | 'headers' | 'forwards'>> = {}) {
  return { wire: openAiChatWire, headers: [], forwards: ['openai-beta'], ...change };
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);
}

function answered(headers: Record<string, string | string[] | undefined>): [string, string][] {
  const list: string[] = [];
  pushAnswerHeaders(list, headers);
  return pairs(list);
}

test('a provider gets its content type, accept, no compression, and what the account configures', () => {
  assert.deepEqual(pairs(requestHeaders(nothing, { stream: true }, mount({ headers: ['x-own', '1'] }))), [
    ['content-type', 'application/json'],
    ['accept', 'text/event-stream'],
    ['accept-encoding', 'identity'],
    ['x-own', '1'],
  ]);
  assert.deepEqual(pairs(requestHeaders(nothing, whole, mount()))[1], ['accept', 'application/json']);
});

test('a wire without a body has no content type, and each framing is asked for by its own media type', () => {
  const get = { ...openAiChatWire, method: 'GET' as const, contentType: undefined };
  assert.deepEqual(
    pairs(requestHeaders(nothing, whole, mount({ wire: get }))).map(([name]) => name),
    ['accept', 'accept-encoding'],
  );
  for (const [framing, accept] of [
    ['ndjson', 'application/x-ndjson'],
    ['aws-event-stream', 'application/vnd.amazon.eventstream'],
  ] as const) {
    const wire = { ...openAiChatWire, framing };
    assert.ok(requestHeaders(nothing, { stream: true }, mount({ wire })).includes(accept));
  }
});

test('only trace, idempotency and what the mount forwards pass of the client’s headers', () => {
  const client: HeadersOfInterest = {
    contentType: 'text/plain',
    accept: '*/*',
    traceparent: '00-a-b-01',
    tracestate: 'x=1',
    idempotencyKey: 'i-1',
    tfy: { 'x-tfy-metadata': '{}' },
    range: undefined,
    query: undefined,
    forwardable: { 'openai-beta': 'b=1', 'anthropic-version': '2023-06-01' },
  };
  const names = pairs(requestHeaders(client, whole, mount())).map(([name]) => name);
  assert.deepEqual(names, [
    'content-type',
    'accept',
    'accept-encoding',
    'traceparent',
    'tracestate',
    'idempotency-key',
    'openai-beta',
  ]);
});

test('a header that the client sends and the mount sets goes out once, as the client wrote it', () => {
  const headers = ['anthropic-version', '2023-06-01'];
  const claude = mount({ wire: anthropicWire, headers, forwards: anthropicWire.forwards });
  const versions = (forwardable: Record<string, string> | undefined) =>
    pairs(requestHeaders({ ...nothing, forwardable }, whole, claude)).filter(([name]) => name === 'anthropic-version');
  assert.deepEqual(versions(undefined), [['anthropic-version', '2023-06-01']]);
  assert.deepEqual(versions({ 'openai-beta': 'x' }), [['anthropic-version', '2023-06-01']]);
  assert.deepEqual(versions({ 'anthropic-version': '2027-01-01' }), [['anthropic-version', '2027-01-01']]);
});

test('a tracestate without its traceparent does not pass', () => {
  assert.equal(requestHeaders({ ...nothing, tracestate: 'x=1' }, whole, mount()).includes('tracestate'), false);
});

test('a client gets rate and retry headers and the request id under a name of its own', () => {
  assert.deepEqual(
    answered({
      'retry-after': '3',
      'retry-after-ms': '2500',
      'x-should-retry': 'false',
      'x-ratelimit-limit-requests': '10',
      'x-ratelimit-remaining-tokens': ['5', '6'],
      'x-request-id': 'up',
      'anthropic-ratelimit-tokens-limit': '7',
    }),
    [
      ['retry-after', '3'],
      ['retry-after-ms', '2500'],
      ['x-should-retry', 'false'],
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
      'retry-after-x': '1',
      'x-ratelimit': '1',
      location: 'http://internal',
      alpha: undefined,
    }),
    [],
  );
});
