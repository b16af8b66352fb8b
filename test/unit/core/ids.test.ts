import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeId, requestLabel } from '../../../src/core/ids.ts';

test('exchange ids are unique and plain enough for headers, logs and file names', () => {
  const ids = new Set(Array.from({ length: 10_000 }, exchangeId));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^ex_[a-z0-9]{10,40}$/);
});

test('exchange ids of one thread ascend as text', () => {
  const ids = Array.from({ length: 2_000 }, exchangeId);
  assert.deepEqual([...ids].sort(), ids);
});

test('a client’s request id is kept if it is short and plain', () => {
  for (const id of ['r', 'req_123', '4bf92f35-77b3', 'a.b:c/d+e=f@g', 'x'.repeat(128)])
    assert.equal(requestLabel(id), id);
  for (const id of [undefined, '', 'a b', 'x'.repeat(129), 'é', 'a\nb', '"', '<script>', 'a,b', '${x}']) {
    assert.equal(requestLabel(id), undefined, JSON.stringify(id));
  }
});
