import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import {
  checkedPath,
  passedQuery,
  providerPath,
  queryParameter,
  withoutOwnBase,
} from '../../../src/proxy/proxy-path.ts';

describe('a path that is passed on', () => {
  test('a path is passed as it was sent where every server reads it alike', () => {
    for (const path of [
      '',
      '/',
      '/v1/files/file-1/content',
      '/model/anthropic.claude-v2%3A1/converse',
      '/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Aprofile%2Fx/converse',
      '/v1beta/models/gemini-2.5-flash:generateContent',
      "/a/b;c=d/e,f/$x/(y)/it's/~me/@you",
      '/ends/with/slash/',
      '/%C3%A4/...dots/..x/x..',
    ]) {
      assert.equal(checkedPath(path), path);
    }
  });

  test('a path is refused where it leads out of its place, however that is written', () => {
    for (const path of [
      '/../admin',
      '/a/..',
      '/a/./b',
      '/a/%2e%2e/b',
      '/a/%2E./b',
      '/a/..%2fb',
      '/a%2f..%2fb',
      '/a/%252e%252e/b',
      '/a/%25252e%25252e/b',
      '/a/..;x=1/b',
      '/a/..%3bx/b',
      '/a/%5c..%5cb',
      '/a\\b',
      '/a%5Cb',
      '/a//b',
      '//evil.example/x',
      '/a%00b',
      '/a%0d%0aHost:%20evil',
      '/a b',
      '/a?b',
      '/a#b',
      '/ä',
      '/a%',
      '/a%zz',
      '/a%2525252525252e',
      'a/b',
      'http://evil.example/',
    ]) {
      const checked = checkedPath(path);
      assert.ok(checked instanceof GatewayError, path);
      assert.equal(checked.code, 'invalid_path');
      assert.equal(checked.status, 400);
    }
  });

  test('a path is at the provider where its documentation says, whatever the account’s address and the gateway’s base path are', () => {
    for (const [path, base, wire, at] of [
      ['/v1/files', '/v1', '/chat/completions', '/v1/files'],
      ['/files', '/v1', '/chat/completions', '/v1/files'],
      ['/v1/files', '/openai/v1', '/chat/completions', '/openai/v1/files'],
      ['/v1beta/models/x', '/v1beta', '/models/x:generateContent', '/v1beta/models/x'],
      ['/v1/models/x', '/proxy/v1beta', '/models/x', '/proxy/v1/models/x'],
      ['/v1/messages/batches', '', '/v1/messages', '/v1/messages/batches'],
      ['/messages/batches', '', '/v1/messages', '/v1/messages/batches'],
      ['/v1/search', '', '/chat/completions', '/search'],
      ['/search', '/api', '/chat/completions', '/api/search'],
      ['/model/x/invoke', '', '/model/x/converse', '/model/x/invoke'],
      ['/v2/embed', '', '/v2/chat', '/v2/embed'],
    ] as const) {
      assert.equal(providerPath(path, base, wire), at, `${path} at ${base}`);
    }
    assert.equal(withoutOwnBase('/api/llm/v1/x'), '/v1/x');
    assert.equal(withoutOwnBase('/api/llmx'), '/api/llmx');
  });
});

describe('a query that is passed on', () => {
  test('a query has none of the gateway’s own parameters, and no key of the client', () => {
    assert.equal(passedQuery('a=1&tfyModelName=x&b=%20&tfyProviderName=y', []), 'a=1&b=%20');
    assert.equal(passedQuery('key=sk-1234&alt=sse', ['sk-1234']), 'alt=sse');
    assert.equal(passedQuery('key=sk%2D1234&key2=xsk-1234x', ['sk-1234']), '');
    assert.equal(passedQuery(undefined, []), '');
    assert.ok(passedQuery('a=\u0007', []) instanceof GatewayError);
    assert.ok(passedQuery('a=b c', []) instanceof GatewayError);
    assert.equal(queryParameter('x=1&tfyModelName=a%2Fb', 'tfyModelName'), 'a/b');
  });
});
