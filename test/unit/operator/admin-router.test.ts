import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AdminRoute } from '../../../src/operator/admin/admin-route.ts';
import { AdminRouter } from '../../../src/operator/admin/admin-router.ts';

const route = (method: AdminRoute['method'], path: string): AdminRoute => ({
  method,
  path,
  summary: '',
  handle: () => ({ status: 200 }),
});
const router = new AdminRouter([
  route('GET', '/admin/things/:id'),
  route('DELETE', '/admin/things/:id'),
  route('GET', '/admin/things/special'),
  route('POST', '/admin/things/:id/parts/:part'),
]);
const found = (method: string, path: string) => {
  const match = router.match(method, path);
  if (match === undefined) return undefined;
  return 'allow' in match ? match.allow : [match.route.path, match.parameters];
};

describe('the paths of the admin API', () => {
  it('admin paths are matched part by part, each part decoded', () => {
    assert.deepEqual(found('GET', '/admin/things/a%2Fb'), ['/admin/things/:id', { id: 'a/b' }]);
    assert.deepEqual(found('POST', '/admin/things/x/parts/y'), [
      '/admin/things/:id/parts/:part',
      { id: 'x', part: 'y' },
    ]);
    assert.deepEqual(found('HEAD', '/admin/things/x'), ['/admin/things/:id', { id: 'x' }]);
  });

  it('literal admin paths are matched before those with a parameter', () => {
    assert.deepEqual(found('GET', '/admin/things/special'), ['/admin/things/special', {}]);
  });

  it('an admin path with another method says which methods it takes', () => {
    assert.equal(found('PUT', '/admin/things/x'), 'GET, HEAD, DELETE');
    assert.equal(found('GET', '/admin/things/x/parts/y'), 'POST');
  });

  it('an admin path with control characters is not found, since no name of ours has them', () => {
    for (const name of ['%00', 'a%0ab', '%7f']) assert.equal(found('GET', `/admin/things/${name}`), undefined);
  });

  it('an invalid, empty or undecodable admin path is not found', () => {
    for (const path of [
      '/admin',
      '/admin/',
      '/admin/things',
      '/admin/things/',
      '/admin/things/a/b',
      '/admin/things/%ff',
      `/admin${'/x'.repeat(40)}`,
    ]) {
      assert.equal(found('GET', path), undefined, path);
    }
  });
});
