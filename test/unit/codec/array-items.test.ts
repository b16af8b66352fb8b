import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrayItems } from '../../../src/codec/array-items.ts';

const TEXT = JSON.stringify(
  {
    name: 'it "has": [results]',
    value: 'results',
    results: { results: [{ a: '}]"\\' }, { b: [1, { c: [] }] }, {}] },
    more: [{ d: 1 }],
    again: { results: [{ e: 2 }], end: true },
  },
  undefined,
  1,
);

function cut(text: string, size: number) {
  const items: [number, unknown][] = [];
  const around: Buffer[] = [];
  const reader = new ArrayItems({
    key: 'results',
    onItem: (item, array) => items.push([array, JSON.parse(item.toString())]),
    onAround: (bytes) => around.push(Buffer.from(bytes)),
  });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return { items, around: JSON.parse(Buffer.concat(around).toString()) as unknown, held: reader.heldBytes };
}

test('the objects of arrays of a name are cut out of a JSON text, however it arrives in pieces', () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const { items, held } = cut(TEXT, size);
    assert.deepEqual(items, [
      [0, { a: '}]"\\' }],
      [0, { b: [1, { c: [] }] }],
      [0, {}],
      [1, { e: 2 }],
    ]);
    assert.equal(held, 0);
  }
});

test('the rest of the text has empty arrays in place of the objects', () => {
  for (const size of [1, 2, 3, 7, 50, TEXT.length]) {
    assert.deepEqual(cut(TEXT, size).around, {
      name: 'it "has": [results]',
      value: 'results',
      results: { results: [] },
      more: [{ d: 1 }],
      again: { results: [], end: true },
    });
  }
});

test('no more than the object that is not whole yet is held', () => {
  const reader = new ArrayItems({ key: 'results', onItem: () => {} });
  reader.push(Buffer.from('{"before": "long", "results": [{"a": 1}, {"b'));
  assert.equal(reader.heldBytes, '{"b'.length);
  const skipping = new ArrayItems({ key: 'results' });
  skipping.push(Buffer.from('{"results": [{"a": 1}, {"b'));
  assert.equal(skipping.heldBytes, 0);
});
