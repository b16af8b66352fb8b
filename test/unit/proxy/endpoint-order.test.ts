import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RawEndpoint, Target } from '../../../src/providers/provider.ts';
import { endpointOrder } from '../../../src/proxy/endpoint-order.ts';

const endpoint = (id: string, more: Partial<RawEndpoint> = {}): RawEndpoint => ({
  target: { id } as Target,
  weight: 0,
  priority: 0,
  fallbackStatuses: new Set(),
  isFallback: true,
  metadata: {},
  ...more,
});
const all = () => true;
const ids = (endpoints: readonly RawEndpoint[]) => endpoints.map(({ target }) => target.id);

describe('which endpoint of a pool is asked', () => {
  test('endpoints are asked by priority, the lowest number first, of equals the one that is listed first', () => {
    const endpoints = [
      endpoint('c', { priority: 2 }),
      endpoint('a', { priority: 0, isFallback: false }),
      endpoint('b', { priority: 0 }),
      endpoint('d', { priority: 3, isFallback: false }),
    ];
    assert.deepEqual(ids(endpointOrder({ order: 'priority', endpoints }, {}, all)), ['a', 'b', 'c']);
  });

  test('endpoints are asked by weight: each as often as its weight says, then the heaviest of the others', () => {
    const endpoints = [endpoint('a', { weight: 20 }), endpoint('b', { weight: 70 }), endpoint('c', { weight: 10 })];
    const order = (at: number) => ids(endpointOrder({ order: 'weight', endpoints }, {}, all, () => at));
    assert.deepEqual(order(0), ['b', 'a', 'c']);
    assert.deepEqual(order(0.69), ['b', 'a', 'c']);
    assert.deepEqual(order(0.7), ['a', 'b', 'c']);
    assert.deepEqual(order(0.95), ['c', 'b', 'a']);
  });

  test('no endpoint is asked that the caller may not use, nor one that is for other metadata', () => {
    const endpoints = [endpoint('a', { metadata: { env: 'prod' } }), endpoint('b'), endpoint('c')];
    const order = (metadata: Record<string, string>) =>
      ids(endpointOrder({ order: 'priority', endpoints }, metadata, (id) => id !== 'b'));
    assert.deepEqual(order({}), ['c']);
    assert.deepEqual(order({ env: 'prod', x: 'y' }), ['a', 'c']);
  });
});
