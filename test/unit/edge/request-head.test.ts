import type { HttpRequest } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesByLength, RequestHead } from '../../../src/edge/request-head.ts';

const forwardable = namesByLength(['openai-beta', 'anthropic-beta', 'anthropic-version']);

/** As the addon gives a head: names in lower case, repeated ones one after the other. */
function headOf(headers: readonly [name: string, value: string][], host: readonly string[] = ['gateway']): RequestHead {
  const request: Pick<HttpRequest, 'forEach' | 'getUrl'> = {
    getUrl: () => '/v1/chat/completions',
    forEach: (each) => {
      for (const value of host) each('host', value);
      for (const [name, value] of headers) each(name, value);
    },
  };
  return new RequestHead(request as HttpRequest, forwardable);
}

test('one pass over a request head takes all that anybody reads', () => {
  const head = headOf([
    ['content-type', 'application/json'],
    ['accept', '*/*'],
    ['user-agent', 'curl'],
    ['authorization', 'Bearer k'],
    ['x-api-key', 'k2'],
    ['api-key', 'k3'],
    ['x-request-id', 'r-1'],
    ['origin', 'https://app.example'],
    ['traceparent', '00-a-b-01'],
    ['tracestate', 'x=1'],
    ['idempotency-key', 'i-1'],
    ['content-length', '12'],
    ['openai-beta', 'a=1'],
    ['anthropic-beta', 'b'],
    ['anthropic-version', '2023-06-01'],
    ['x-tfy-metadata', '{}'],
    ['x-tfy-a', '1'],
    ['cookie', 'session=1'],
    ['x-forwarded-for', '10.0.0.1'],
    ['x-forwarded-for', '10.0.0.2, 10.0.0.3'],
  ]);
  assert.equal(head.fault, undefined);
  assert.equal(head.contentType, 'application/json');
  assert.equal(head.accept, '*/*');
  assert.equal(head.userAgent, 'curl');
  assert.equal(head.url, '/v1/chat/completions');
  assert.equal(head.authorization, 'Bearer k');
  assert.equal(head.xApiKey, 'k2');
  assert.equal(head.apiKey, 'k3');
  assert.equal(head.requestId, 'r-1');
  assert.equal(head.origin, 'https://app.example');
  assert.equal(head.traceparent, '00-a-b-01');
  assert.equal(head.tracestate, 'x=1');
  assert.equal(head.idempotencyKey, 'i-1');
  assert.equal(head.contentLength, 12);
  assert.equal(head.forwardedFor, '10.0.0.1,10.0.0.2, 10.0.0.3');
  assert.deepEqual(head.forwardable, {
    'openai-beta': 'a=1',
    'anthropic-beta': 'b',
    'anthropic-version': '2023-06-01',
  });
  assert.deepEqual(head.tfy, { 'x-tfy-metadata': '{}', 'x-tfy-a': '1' });
});

test('an x-tfy header of any length is read whole', () => {
  for (let length = 1; length < 20; length += 1) {
    const name = `x-tfy-${'a'.repeat(length)}`;
    assert.deepEqual(headOf([[name, 'v']]).tfy, { [name]: 'v' });
  }
});

test('a header that was not sent is undefined', () => {
  const head = headOf([]);
  for (const value of [
    head.contentType,
    head.authorization,
    head.contentLength,
    head.tfy,
    head.forwardable,
    head.requestId,
  ]) {
    assert.equal(value, undefined);
  }
  assert.equal(head.fault, undefined);
  assert.equal(head.hasBody, false);
});

test('a body is announced by a length above zero or by chunks', () => {
  assert.equal(headOf([['content-length', '0']]).hasBody, false);
  assert.equal(headOf([['content-length', '1']]).hasBody, true);
  assert.equal(headOf([['transfer-encoding', 'chunked']]).hasBody, true);
});

test('framing that two readers could read in two ways is a fault', () => {
  const faulty: [string, string][][] = [
    [
      ['content-length', '5'],
      ['content-length', '5'],
    ],
    [
      ['content-length', '5'],
      ['content-length', '6'],
    ],
    [
      ['content-length', '5'],
      ['transfer-encoding', 'chunked'],
    ],
    [
      ['transfer-encoding', 'chunked'],
      ['content-length', '0'],
    ],
    [
      ['transfer-encoding', 'chunked'],
      ['transfer-encoding', 'chunked'],
    ],
  ];
  for (const headers of faulty) assert.ok(headOf(headers).fault, JSON.stringify(headers));
  for (const encoding of ['gzip, chunked', 'identity', '', 'chunked, chunked', 'xchunked', 'chunked;q=1', ' chunked']) {
    assert.ok(headOf([['transfer-encoding', encoding]]).fault, JSON.stringify(encoding));
  }
  assert.equal(headOf([['transfer-encoding', 'Chunked']]).fault, undefined);
});

test('a content-length that is no plain number is a fault', () => {
  for (const length of ['', '-1', '+5', '1.5', '0x10', '5, 5', '1e3', ' 5', 'abc', '9'.repeat(16), '٣']) {
    const head = headOf([['content-length', length]]);
    assert.ok(head.fault, JSON.stringify(length));
    assert.ok(Number.isNaN(head.contentLength));
  }
  assert.equal(headOf([['content-length', '999999999999999']]).fault, undefined);
});

test('header names that are keys of the object prototype are names like others', () => {
  const head = headOf([
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['x-tfy-__proto__', 'z'],
  ]);
  assert.deepEqual(head.tfy, { 'x-tfy-__proto__': 'z' });
});

test('a host that is missing, repeated or malformed is a fault', () => {
  for (const hosts of [[], ['a', 'a'], ['a', 'b'], ['']]) assert.match(headOf([], hosts).fault ?? '', /^host /);
  for (const host of [
    'a b',
    'a/b',
    'user@a',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a:1:2',
    'a:65536',
    'a:123456',
    '[::1',
    '::1',
    '[a b]',
    'a%zz',
    'ä',
    'http://a',
    'a\t',
  ]) {
    // The one before is remembered as good, and must not vouch for it.
    assert.equal(headOf([], ['a']).fault, undefined);
    assert.match(headOf([], [host]).fault ?? '', /^host is not /, host);
  }
});

test('a host is a name or an address, with a port or without', () => {
  for (const host of [
    'a',
    'gateway.example.com:8787',
    '127.0.0.1:80',
    '[::1]',
    '[2001:db8::1]:443',
    'a_b-c~',
    'a:',
    'a%20',
  ])
    assert.equal(headOf([], [host]).fault, undefined, host);
});

test('a credential that is repeated in its header is a fault, one in each of several headers is not', () => {
  for (const name of ['authorization', 'x-api-key', 'api-key']) {
    const twice: [string, string][] = [
      [name, 'k'],
      [name, 'k'],
    ];
    assert.equal(headOf(twice).fault, `${name} is repeated`);
  }
  const each = headOf([
    ['authorization', 'Bearer k'],
    ['x-api-key', 'k2'],
    ['api-key', 'k3'],
  ]);
  assert.equal(each.fault, undefined);
});
