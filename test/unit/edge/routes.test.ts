import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Route, RouteTable } from '../../../src/edge/routes.ts';

function route(path: string, method: Route['method'] = 'POST'): Route {
  return { path, method, needsKey: true, handle: () => {}, errorBody: () => Buffer.alloc(0) };
}

const chat = route('/chat/completions');
const list = route('/models', 'GET');
const show = route('/models/', 'GET');
const root = route('/', 'GET');
const table = new RouteTable([chat, list, show, root]);
const bases = ['', '/v1', '/api/llm', '/api/llm/v1'];

test('every base path leads to the same routes', () => {
  for (const base of bases) {
    assert.deepEqual(table.match(`${base}/chat/completions`), { routes: [chat], path: '/chat/completions', rest: '' });
    assert.deepEqual(table.match(`${base}/models`)?.routes, [list]);
    assert.deepEqual(table.match(`${base}/`)?.routes, [root]);
  }
  for (const base of bases.slice(1)) assert.deepEqual(table.match(base)?.routes, [root], base);
});

test('base paths do not stack, and no other path is a base path', () => {
  for (const path of [
    '/v1/v1/chat/completions',
    '/api/chat/completions',
    '/api/llm/v2/models',
    '/v2/models',
    '/v1/api/llm/models',
    'chat/completions',
    '',
    '//chat/completions',
    '/V1/models',
    '/v1/chat/completions/',
    '/v1/chat/completionsx',
    '/v1/chat',
  ]) {
    assert.equal(table.match(path), undefined, path);
  }
});

test('a path that ends in a slash takes what is behind it, percent-decoded', () => {
  for (const base of bases) {
    const match = table.match(`${base}/models/openai-main%2Fgpt-4o%3Alatest`);
    assert.deepEqual(match, { routes: [show], path: '/models/', rest: 'openai-main/gpt-4o:latest' });
    assert.equal(table.match(`${base}/models/a/b/c`)?.rest, 'a/b/c');
  }
  assert.equal(table.match('/v1/models/%E6%A8%A1')?.rest, '模');
});

test('nothing behind the slash, or an invalid escape, names nothing', () => {
  for (const path of ['/v1/models/', '/models/', '/v1/models/%', '/v1/models/%zz', '/v1/models/%ff']) {
    assert.equal(table.match(path), undefined, path);
  }
});

test('a decoded path is not decoded again', () => {
  assert.equal(table.match('/models/a%252Fb')?.rest, 'a%2Fb');
});

test('routes of one path and several methods are found together', () => {
  const get = route('/files', 'GET');
  const post = route('/files', 'POST');
  assert.deepEqual(new RouteTable([get, post]).match('/v1/files')?.routes, [get, post]);
});
