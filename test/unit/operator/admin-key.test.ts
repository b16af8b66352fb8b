import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminKey } from '../../../src/operator/admin/admin-key.ts';

test('the admin key is taken as a bearer token, whole and exact', () => {
  const key = new AdminKey('a key with spaces', undefined);
  assert.equal(key.refuses('Bearer a key with spaces'), undefined);
  assert.equal(key.refuses('bearer   a key with spaces'), undefined);
  for (const none of [undefined, '', 'Bearer', 'Bearer ', 'Basic a key with spaces']) {
    assert.equal(key.refuses(none), 'missing_api_key');
  }
  for (const wrong of [
    'Bearer a',
    'Bearer a key with space',
    'Bearer a key with spacesx',
    'Bearer A key with spaces',
  ]) {
    assert.equal(key.refuses(wrong), 'invalid_api_key');
  }
});

test('ten thousand wrong admin keys are one line of log, without any of them', () => {
  const lines: string[] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (fields: object, message: string) => lines.push(JSON.stringify(fields) + message),
  };
  const key = new AdminKey('right', log);
  for (let index = 0; index < 10_000; index += 1) assert.equal(key.refuses(`Bearer wrong-${index}`), 'invalid_api_key');
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines[0] ?? '', /wrong-|right/);
});
