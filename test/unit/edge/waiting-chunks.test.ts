import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WaitingChunks } from '../../../src/edge/waiting-chunks.ts';

function waiting(...texts: string[]): WaitingChunks {
  const chunks = new WaitingChunks();
  for (const text of texts) chunks.add(Buffer.from(text));
  return chunks;
}

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

describe('chunks that wait', () => {
  test('all waiting chunks are taken as one', () => {
    const chunks = waiting('ab', 'cd', 'e');
    assert.equal(chunks.bytes, 5);
    assert.equal(text(chunks.takeAll()), 'abcde');
    assert.equal(chunks.bytes, 0);
    assert.equal(chunks.takeAll(), undefined);
    assert.equal(chunks.take(10), undefined);
  });

  test('as many whole waiting chunks as fit are joined', () => {
    const chunks = waiting('ab', 'cd', 'e', 'fgh');
    assert.equal(text(chunks.take(5)), 'abcde');
    assert.equal(chunks.bytes, 3);
    assert.equal(text(chunks.take(3)), 'fgh');
    assert.equal(chunks.bytes, 0);
  });

  test('a chunk that does not fit behind another waits for its own turn', () => {
    const chunks = waiting('abc', 'def');
    assert.equal(text(chunks.take(5)), 'abc');
    assert.equal(text(chunks.take(5)), 'def');
  });

  test('the first part of a chunk that is too long is taken without copying', () => {
    const whole = Buffer.from('abcdefg');
    const chunks = new WaitingChunks();
    chunks.add(whole);
    chunks.add(Buffer.from('h'));
    const first = chunks.take(3)!;
    assert.equal(text(first), 'abc');
    assert.equal(first.buffer, whole.buffer);
    assert.equal(chunks.bytes, 5);
    chunks.add(Buffer.from('i'));
    assert.deepEqual(
      [3, 3, 3].map((most) => text(chunks.take(most))),
      ['def', 'ghi', undefined],
    );
    assert.equal(chunks.bytes, 0);
  });

  test('waiting chunks lose and double nothing, in whatever steps they are taken', () => {
    for (let most = 1; most < 30; most += 1) {
      const texts = Array.from({ length: 20 }, (_, index) =>
        String.fromCharCode(97 + index).repeat((index * 7) % 11 || 1),
      );
      const chunks = waiting(...texts);
      let taken = '';
      for (let piece = chunks.take(most); piece; piece = chunks.take(most)) {
        assert.ok(piece.length <= most);
        taken += text(piece);
        assert.equal(chunks.bytes, texts.join('').length - taken.length);
      }
      assert.equal(taken, texts.join(''));
    }
  });

  test('cleared chunks are forgotten, and others go on', () => {
    const chunks = waiting('ab', 'cd');
    chunks.clear();
    assert.equal(chunks.bytes, 0);
    chunks.add(Buffer.from('ef'));
    assert.equal(text(chunks.takeAll()), 'ef');
    assert.equal(new WaitingChunks().takeAll(), undefined);
  });
});
