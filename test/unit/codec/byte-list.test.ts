import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteList } from '../../../src/codec/byte-list.ts';
import { pieces } from '../../support/cuttings.ts';

const text = Buffer.from(Array.from({ length: 40_000 }, (_, index) => String(index)).join(','));

test('a byte list gives out what went in, however it was cut', () => {
  for (const size of [1, 7, 511, 512, 5_000, text.length]) {
    const list = new ByteList();
    for (const piece of pieces(text, size)) list.push(piece);
    assert.equal(list.length, text.length);
    assert.ok(Buffer.concat([...list.pieces()]).equals(text), `pieces of ${size}`);
    list.push(Buffer.from('!'));
    assert.equal(list.whole().toString('latin1', text.length), '!');
    assert.ok(list.whole().subarray(0, text.length).equals(text));
  }
});

test('a byte list holds single bytes in a few pieces, also while its front is dropped', () => {
  const list = new ByteList();
  for (const piece of pieces(text, 1)) {
    list.push(piece);
    list.keepLast(20_000);
  }
  assert.ok(list.pieces().length < 10);
  assert.ok(list.length >= 20_000 && list.length < 60_000, `${list.length} held`);
  const kept = list.whole();
  assert.ok(text.subarray(text.length - kept.length).equals(kept));
});
