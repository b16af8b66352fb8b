import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literalsOf } from '../../../src/cache/literal-guards.ts';
import { SemanticIndex } from '../../../src/cache/semantic-index.ts';
import { SharedVectors, searchVectors, unitVector, type VectorSearch } from '../../../src/cache/shared-vectors.ts';
import type { Exchange } from '../../../src/core/exchange.ts';

const BOUNDS = { maxEntries: 100, maxBytes: 65_536 };
const SPACE = [1, 2] as const;
const LITERALS = literalsOf('how does it work');
const keyOf = (number: number) => Int32Array.from([number * 7919, number, 1, 2]);
const near = (cosine: number, dimensions = 4) =>
  Float32Array.from({ length: dimensions }, (_, index) => [cosine, Math.sqrt(1 - cosine * cosine)][index] ?? 0);
const entry = (number: number, cosine = 1, family = keyOf(1)) => ({
  family,
  answer: keyOf(number),
  space: SPACE,
  endsAtSeconds: 2_000_000_000,
  literals: LITERALS,
  vector: near(cosine),
});
const question = (more: object = {}) => ({
  family: keyOf(1),
  vector: near(1),
  literals: LITERALS,
  threshold: 0.9,
  nowSeconds: 1,
  ...more,
});

test('the nearest questions of a family are found by every thread, and no other family’s', () => {
  const one = new SharedVectors(BOUNDS, 0);
  const other = new SharedVectors(BOUNDS, 1, one.buffer);
  for (const [number, cosine] of [
    [1, 0.95],
    [2, 0.99],
    [3, 0.5],
  ] as const)
    one.add(entry(number, cosine));
  one.add(entry(4, 1, keyOf(2)));
  const { found, nearest } = other.search(question());
  assert.deepEqual(
    found.map(({ answer }) => answer),
    [keyOf(2), keyOf(1)],
  );
  assert.equal(nearest?.toFixed(3), '0.990');
  assert.deepEqual(other.search(question({ family: keyOf(9) })), { found: [], nearest: undefined, guard: undefined });
});

test('a question that is over is not found, and one of another literal names the literal', () => {
  const vectors = new SharedVectors(BOUNDS, 0);
  vectors.add(entry(1));
  assert.equal(vectors.search(question({ nowSeconds: 2_000_000_000 })).found.length, 0);
  const { found, guard } = vectors.search(question({ literals: literalsOf('how does it not work') }));
  assert.deepEqual([found.length, guard], [0, 'negation']);
});

test('vectors are bounded by number and by bytes, and the newest takes the place of the oldest', () => {
  for (const [bounds, room] of [
    [{ maxEntries: 10, maxBytes: 65_536 }, 10],
    [{ maxEntries: 100, maxBytes: 160 }, 10],
  ] as const) {
    const vectors = new SharedVectors(bounds, 0);
    for (let number = 1; number <= 25; number += 1) vectors.add(entry(number, 1, keyOf(number)));
    assert.equal(vectors.entries, room);
    assert.equal(vectors.usedBytes, room * 16);
    assert.equal(vectors.search(question({ family: keyOf(25) })).found.length, 1);
    assert.equal(vectors.search(question({ family: keyOf(15) })).found.length, 0);
  }
});

test('one question with one answer is kept once, and another length of vectors begins anew', () => {
  const vectors = new SharedVectors(BOUNDS, 0);
  for (const cosine of [0.91, 0.92]) vectors.add(entry(1, cosine));
  assert.equal(vectors.entries, 1);
  vectors.add({ ...entry(2), vector: near(1, 8) });
  assert.equal(vectors.entries, 1);
  assert.equal(vectors.search(question()).found.length, 0);
  assert.equal(vectors.search(question({ vector: near(1, 8) })).found.length, 1);
  assert.equal(vectors.add({ ...entry(3), vector: new Float32Array(100_000) }), false);
});

test('a namespace is flushed by itself', () => {
  const vectors = new SharedVectors(BOUNDS, 0);
  vectors.add(entry(1));
  vectors.add({ ...entry(2), space: [3, 4] });
  assert.equal(vectors.flush(SPACE), 1);
  assert.deepEqual(
    vectors.search(question()).found.map(({ answer }) => answer),
    [keyOf(2)],
  );
  assert.equal(vectors.flush(), 1);
  assert.equal(vectors.entries, 0);
});

test('a vector has length one, and of nothing or nonsense there is none', () => {
  assert.deepEqual(unitVector([3, 4]), Float32Array.from([0.6, 0.8]));
  for (const numbers of [[], [0, 0], [Number.NaN], [Number.POSITIVE_INFINITY, 1]])
    assert.equal(unitVector(numbers), undefined);
});

test('a search over many vectors is done elsewhere, and finds the same', async () => {
  const memory = new SharedVectors({ maxEntries: 300, maxBytes: 4_194_304 }, 0);
  const numbers = (cosine: number) => near(cosine, 1_024);
  for (let number = 1; number <= 300; number += 1)
    memory.add({ ...entry(number, 1), vector: numbers(0.5 + number / 1_000) });
  memory.add({ ...entry(7), vector: numbers(0.97) });
  const searches: VectorSearch[] = [];
  const index = new SemanticIndex({
    memory,
    remote: undefined,
    vectors: { model: 'm', vectorOf: async () => [...numbers(1)] },
    searchElsewhere: async (search) => {
      searches.push(search);
      return searchVectors(search);
    },
  });
  const exchange = { principal: { subject: 'a' } } as unknown as Exchange;
  const asked = { family: keyOf(1), text: 'how does it work', literals: LITERALS };
  const key = { words: keyOf(5), text: '', space: SPACE };
  const found = await index.find(exchange, asked, key, 0.9);
  assert.equal(searches.length, 1);
  assert.ok(typeof found === 'object');
  assert.deepEqual(
    found.found.map(({ answer }) => answer),
    [keyOf(7)],
  );
});
