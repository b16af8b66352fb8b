import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import {
  broughtKeys,
  givenHeaders,
  onlyHeader,
  passedHeaders,
  withCredential,
  withMountHeaders,
} from '../../../src/proxy/passed-headers.ts';

const ADDED = ['accept-encoding', 'identity'];

describe('headers that are passed on', () => {
  test('the headers that go on are the client’s without those of its connection, those it lists there, and what a proxy before us made', () => {
    const lines = [
      ...['connection', 'close, x-hop', 'x-hop', '1', 'keep-alive', 'x', 'te', 'trailers', 'trailer', 'x-sum'],
      ...['transfer-encoding', 'chunked', 'content-length', '4', 'upgrade', 'h2c', 'expect', '100-continue'],
      ...['proxy-authorization', 'Basic x', 'forwarded', 'for=x', 'x-forwarded-host', 'x', 'via', '1.1 x'],
      ...['accept-encoding', 'br', 'host', 'x', 'cookie', 'a=b', 'x-rewrite-url', '/admin', 'x-amz-date', 'x'],
      ...['content-type', 'text/plain', 'x-one', '1', 'x-one', '2'],
    ];
    assert.deepEqual(passedHeaders(lines, []), ['content-type', 'text/plain', 'x-one', '1', 'x-one', '2', ...ADDED]);
  });

  test('headers that go on hold no key of the client and nothing for the gateway, under whatever name', () => {
    const key = 'sk-1234567';
    const lines = [
      ...['authorization', `Bearer ${key}`, 'x-api-key', key, 'api-key', key, 'x-goog-api-key', key, 'xi-api-key', key],
      ...['x-tfy-metadata', '{}', 'x-sluice-x', '1', 'x-copy', `see ${key}`, 'content_length', '5', 'x-fine', '1'],
    ];
    assert.deepEqual(broughtKeys(lines), [key, key, key, key, key]);
    assert.deepEqual(passedHeaders(lines, broughtKeys(lines)), ['x-fine', '1', ...ADDED]);
  });

  test('headers with a character that none may hold are refused, and so is a content-type that is told twice', () => {
    for (const value of ['a\r\nb: c', 'a\0', 'a\u0007', '\u4e00']) {
      assert.ok(passedHeaders(['x-a', value], []) instanceof GatewayError, JSON.stringify(value));
    }
    assert.ok(onlyHeader(['content-type', 'a', 'content-type', 'b'], 'content-type') instanceof GatewayError);
    assert.equal(onlyHeader(['x', 'y'], 'content-type'), undefined);
  });

  test('headers of a client give way to the credential and to what the account sets, but for versions that clients tell', () => {
    const client = ['x-goog-api-key', 'theirs', 'anthropic-version', 'theirs', 'x-a', '1'];
    const headers = ['anthropic-version', 'ours', 'X-A', '2'];
    const all = withMountHeaders(client, { headers, forwards: ['anthropic-version'] });
    assert.deepEqual(all, ['x-goog-api-key', 'theirs', 'anthropic-version', 'theirs', 'X-A', '2']);
    assert.deepEqual(withCredential(client, ['X-Goog-Api-Key', 'ours']), [
      ...['anthropic-version', 'theirs', 'x-a', '1', 'X-Goog-Api-Key', 'ours'],
    ]);
  });
});

test('a client gets of the head of an answer what is about the answer, and no secret in it', () => {
  const given = givenHeaders(
    {
      'content-type': 'text/plain',
      connection: 'x-hop',
      'x-hop': '1',
      'set-cookie': ['a=b', 'c=d'],
      'transfer-encoding': 'chunked',
      'content-length': '3',
      'alt-svc': 'x',
      'access-control-allow-origin': '*',
      'x-tfy-resolved-model': 'forged',
      'www-authenticate': 'Bearer',
      'request-id': 'r-1',
      link: ['<a>', '<b>'],
      location: '/x?key=SECRET',
      'retry-after': '3',
    },
    (text) => text.replace('SECRET', '[redacted]'),
  );
  assert.deepEqual(given, [
    ...['link', '<a>', 'link', '<b>', 'location', '/x?key=[redacted]', 'retry-after', '3'],
    ...['x-upstream-request-id', 'r-1'],
  ]);
});
