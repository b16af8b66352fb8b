import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchesOf, joinedVerdict, piecesOf } from '../../../src/guardrails/guards/text-pieces.ts';

const TEXTS = ['', 'One. Two! Three? Four.', 'a'.repeat(25), '😀'.repeat(9), 'word '.repeat(9)];

test('pieces of a text are the text again, none is longer than its bound, and none splits a character', () => {
  for (const maxCharacters of [2, 3, 7, 10, 1_000]) {
    const pieces = piecesOf(TEXTS, { maxCharacters });
    for (const [at, text] of TEXTS.entries())
      assert.equal(
        pieces
          .filter((each) => each.at === at)
          .map((each) => each.text)
          .join(''),
        text,
      );
    for (const { text } of pieces) {
      assert.ok(text.length > 0 && text.length <= maxCharacters, text);
      assert.ok(text.isWellFormed(), JSON.stringify(text));
    }
  }
});

test('a text is cut at the end of a sentence or of a word where one is near', () => {
  const [first] = piecesOf(['It is so. And more words'], { maxCharacters: 12 });
  assert.equal(first?.text, 'It is so. ');
  const [word] = piecesOf(['some plain words'], { maxCharacters: 12 });
  assert.equal(word?.text, 'some plain ');
});

test('pieces that are asked about together are few and not too long together', () => {
  const pieces = piecesOf(['abc', 'def', 'ghi', 'jkl'], { maxCharacters: 3 });
  assert.deepEqual(
    batchesOf(pieces, { maxPieces: 3, maxCharacters: 100 }).map((each) => each.length),
    [3, 1],
  );
  assert.deepEqual(
    batchesOf(pieces, { maxPieces: 9, maxCharacters: 6 }).map((each) => each.length),
    [2, 2],
  );
});

test('a refusal among several answers counts before a fault, a fault before a change, and changes are put together', () => {
  const pieces = piecesOf(['one two', 'three'], { maxCharacters: 4 });
  const [one, two, ...rest] = pieces;
  const mutated = { pieces: [one!], verdict: { result: 'mutated', texts: ['*** '] } } as const;
  const passed = { pieces: [two!, ...rest], verdict: { result: 'passed' } } as const;
  const failed = { pieces: [], verdict: { result: 'failed', message: 'no' } } as const;
  const error = { pieces: [], verdict: { result: 'error', message: 'away' } } as const;
  assert.deepEqual(joinedVerdict([mutated, passed], ['one two', 'three']), {
    result: 'mutated',
    texts: ['*** two', 'three'],
  });
  assert.equal(joinedVerdict([error, failed, mutated], []).result, 'failed');
  assert.equal(joinedVerdict([error, mutated], []).result, 'error');
  assert.equal(joinedVerdict([passed], []).result, 'passed');
});
