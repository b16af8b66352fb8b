import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyFor } from '../../../src/upstream/proxy-choice.ts';

const proxies = { http: 'http://a:1', https: 'http://b:2' };

function chosen(origin: string, noProxy: string[] = [], proxy?: string): string | undefined {
  return proxyFor({ origin, credential: 'c', ...(proxy !== undefined && { proxy }) }, { proxies, noProxy });
}

test('the scheme of a provider chooses the proxy, and no provider needs one', () => {
  assert.equal(chosen('https://api.example.com'), 'http://b:2');
  assert.equal(chosen('http://10.0.0.1:8000'), 'http://a:1');
  assert.equal(proxyFor({ origin: 'https://x.example', credential: 'c' }, { proxies: {}, noProxy: [] }), undefined);
});

test("an account's own proxy, or none, wins over the settings and their exceptions", () => {
  assert.equal(chosen('https://api.example.com', ['*'], 'http://own:3'), 'http://own:3');
  assert.equal(chosen('https://api.example.com', [], 'none'), undefined);
});

for (const [entry, origin, direct] of [
  ['*', 'https://api.example.com', true],
  ['example.com', 'https://example.com', true],
  ['example.com', 'https://api.example.com', true],
  ['.example.com', 'https://api.example.com', true],
  ['*.example.com', 'https://api.example.com', true],
  ['Example.COM', 'https://api.example.com', true],
  ['example.com', 'https://notexample.com', false],
  ['api.example.com', 'https://example.com', false],
  ['example.com:443', 'https://example.com', true],
  ['example.com:8443', 'https://example.com', false],
  ['example.com:8443', 'https://example.com:8443', true],
  ['127.0.0.1', 'http://127.0.0.1:8000', true],
  ['127.0.0.1:9000', 'http://127.0.0.1:8000', false],
  ['10.0.0.0/8', 'http://10.1.2.3', true],
  ['10.0.0.0/8', 'http://11.1.2.3', false],
  ['10.0.0.0/99', 'http://10.1.2.3', false],
  ['::1', 'http://[::1]:8000', true],
  ['[::1]:8000', 'http://[::1]:8000', true],
  ['fd00::/8', 'http://[fd12::1]', true],
  ['10.0.0.0/8', 'http://[fd12::1]', false],
  ['0.0.1', 'http://10.0.0.1', false],
] as const) {
  test(`no_proxy ${entry} ${direct ? 'reaches' : 'does not reach'} ${origin} directly`, () => {
    assert.equal(chosen(origin, [entry]) === undefined, direct);
  });
}
