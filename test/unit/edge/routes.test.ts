import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Route, RouteTable } from '../../../src/edge/routes.ts';

function route(pattern: string, method: Route['method'] = 'POST'): Route {
  return { pattern, method, needsKey: true, body: 'whole', handle: () => {}, errorBody: () => Buffer.alloc(0) };
}

const chat = route('/chat/completions');
const list = route('/models', 'GET');
const show = route('/models/{+id}', 'GET');
const root = route('/', 'GET');
const table = new RouteTable([chat, list, show, root]);
const bases = ['', '/v1', '/api/llm', '/api/llm/v1'];

test('every base path leads to the same routes', () => {
  for (const base of bases) {
    assert.deepEqual(table.match(`${base}/chat/completions`), {
      routes: [chat],
      path: '/chat/completions',
      params: {},
    });
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

test('an unknown path names the path that was meant, and one that is long or near to none names nothing', () => {
  let now = 0;
  const unknown = (path: string) => {
    now += 100;
    return table.unknown(path, now);
  };
  for (const path of [
    '/v1/chat/completion',
    '/v1/v1/chat/completions',
    '/chat/completions/',
    '/api/llm/v1/Chat/Completions',
  ]) {
    assert.match(unknown(path).message, /Did you mean `\/chat\/completions`\?/, path);
  }
  for (const path of ['/v1/everything', `/chat/completions${'/'.repeat(100)}`]) {
    assert.equal(unknown(path).context.detail, undefined);
    assert.equal(table.unknown(path, now), table.unknown('/nothing', now), 'one error for all of them');
  }
});

test('a flood of unknown paths is compared with known ones ten times a second at the most', () => {
  const table = new RouteTable([route('/chat/completions')]);
  const named = Array.from({ length: 100 }, (_, at) => table.unknown('/chat/completion', at * 10).context.detail);
  assert.equal(named.filter((detail) => detail !== undefined).length, 10);
});

test('an open parameter takes all that is left of the path, percent-decoded', () => {
  for (const base of bases) {
    const match = table.match(`${base}/models/openai-main%2Fgpt-4o%3Alatest`);
    assert.deepEqual(match, { routes: [show], path: '/models/{+id}', params: { id: 'openai-main/gpt-4o:latest' } });
    assert.equal(table.match(`${base}/models/a/b/c`)?.params['id'], 'a/b/c');
  }
  assert.equal(table.match('/v1/models/%E6%A8%A1')?.params['id'], '模');
});

test('nothing behind the slash, or an invalid escape, names nothing', () => {
  for (const path of ['/v1/models/', '/models/', '/v1/models/%', '/v1/models/%zz', '/v1/models/%ff']) {
    assert.equal(table.match(path), undefined, path);
  }
});

test('a decoded path is not decoded again', () => {
  assert.equal(table.match('/models/a%252Fb')?.params['id'], 'a%2Fb');
});

test('routes of one path and several methods are found together', () => {
  const get = route('/files', 'GET');
  const post = route('/files', 'POST');
  assert.deepEqual(new RouteTable([get, post]).match('/v1/files')?.routes, [get, post]);
});

test('a path parameter is one segment, and a literal in its place is nearer', () => {
  const one = route('/responses/{id}', 'GET');
  const cancel = route('/responses/{id}/cancel');
  const items = route('/responses/{id}/{kind}', 'GET');
  const patterns = new RouteTable([items, one, cancel]);
  for (const base of bases) {
    assert.deepEqual(patterns.match(`${base}/responses/a%20b`), {
      routes: [one],
      path: '/responses/{id}',
      params: { id: 'a b' },
    });
    assert.deepEqual(patterns.match(`${base}/responses/r1/cancel`)?.routes, [cancel]);
    assert.deepEqual(patterns.match(`${base}/responses/r1/input_items`)?.params, { id: 'r1', kind: 'input_items' });
  }
  for (const path of ['/responses', '/responses/', '/responses/a/b/c', '/responses//cancel', '/responses/%']) {
    assert.equal(patterns.match(path), undefined, path);
  }
});

test('a path parameter may stand in the middle of an open pattern', () => {
  const table = new RouteTable([route('/proxy-api/{account}/{+path}')]);
  assert.deepEqual(table.match('/v1/proxy-api/main/a/b%2Fc')?.params, { account: 'main', path: 'a/b/c' });
  assert.equal(table.match('/v1/proxy-api/main'), undefined);
});

test('a planned path is known and has no route, and one that is served is not planned any more', () => {
  const planned = [{ pattern: '/chat/completions' }, { pattern: '/files/{+path}' }, { pattern: '/embeddings' }];
  const table = new RouteTable([chat], planned);
  assert.deepEqual(table.match('/v1/chat/completions')?.routes, [chat]);
  assert.deepEqual(table.match('/v1/embeddings'), { routes: [], path: '/embeddings', params: {} });
  assert.deepEqual(table.match('/api/llm/files/f1/content')?.path, '/files/{+path}');
});

test('a path that is planned at the root alone is nowhere else', () => {
  const table = new RouteTable(
    [],
    [
      { pattern: '/mcp', atRootOnly: true },
      { pattern: '/mcp/v1/{name}/mcp', atRootOnly: true },
    ],
  );
  assert.ok(table.match('/mcp'));
  assert.ok(table.match('/mcp/v1/files/mcp'));
  assert.equal(table.match('/v1/mcp'), undefined);
  assert.equal(table.match('/v1/mcp/v1/files/mcp'), undefined);
});

test('a last parameter that is taken as it was sent is not decoded, and may be nothing', () => {
  const table = new RouteTable([route('/proxy-api/{account}/{endpoint}/{*path}')]);
  for (const [url, path] of [
    ['/v1/proxy-api/a/e', ''],
    ['/proxy-api/a/e/', '/'],
    ['/api/llm/proxy-api/a/e/b%2Fc//d?', '/b%2Fc//d?'],
  ] as const) {
    assert.deepEqual(table.match(url)?.params, { account: 'a', endpoint: 'e', path });
  }
  assert.equal(table.match('/proxy-api/a'), undefined);
});

test('a passthrough takes each path that is not the gateway’s own, and each that yields', () => {
  const own = route('/own');
  const yielding = { ...route('/yields'), yieldsToProvider: true as const };
  const passing = { pattern: '/{+path}', routes: [route('/{+path}')] };
  const table = new RouteTable([own, yielding], [{ pattern: '/planned' }], passing);
  const taken = (url: string) => table.passing(table.match(url), 'POST')?.path;
  assert.deepEqual(['/own', '/yields', '/planned', '/other'].map(taken), [
    undefined,
    passing.pattern,
    passing.pattern,
    passing.pattern,
  ]);
});

test('a passthrough takes the methods that a path of the gateway’s own does not have', () => {
  const passing = { pattern: '/{+path}', routes: [route('/{+path}')] };
  const table = new RouteTable([{ ...route('/models/{+id}'), method: 'GET' }], [], passing);
  const taken = (method: string) => table.passing(table.match('/v1/models/ft:x'), method)?.path;
  assert.deepEqual(['GET', 'HEAD', 'DELETE'].map(taken), [undefined, undefined, passing.pattern]);
});
