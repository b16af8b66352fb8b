import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NumberMap } from '../../../src/core/number-map.ts';
import { randomFrom } from '../../support/random.ts';

test('a number map holds what a Map would, whatever comes and goes', () => {
  const random = randomFrom(7);
  const map = new NumberMap<string>();
  const right = new Map<number, string>();
  let next = 1;
  for (let step = 0; step < 20_000; step += 1) {
    const known = [...right.keys()];
    const isAdded = known.length === 0 || (random() < 0.5 && known.length < 200);
    const key = isAdded ? next : known[Math.floor(random() * known.length)]!;
    if (isAdded) {
      // Some stay long, so that later ones meet their places.
      next += 1 + Math.floor(random() * 40);
      map.set(key, `value ${key}`);
      right.set(key, `value ${key}`);
    } else {
      assert.equal(map.take(key), right.get(key));
      right.delete(key);
    }
    assert.equal(map.size, right.size);
    assert.equal(map.get(key), right.get(key));
  }
  assert.deepEqual(
    map.entries().toSorted(([one], [other]) => one - other),
    [...right].toSorted(([one], [other]) => one - other),
  );
  assert.deepEqual(map.values().toSorted(), [...right.values()].toSorted());
});

test('a number that is set twice is there once, and an absent one is undefined', () => {
  const map = new NumberMap<string>();
  map.set(5, 'one');
  map.set(5, 'two');
  assert.deepEqual([map.size, map.get(5), map.get(21)], [1, 'two', undefined]);
  assert.equal(map.take(21), undefined);
  assert.equal(map.take(5), 'two');
  assert.deepEqual([map.size, map.take(5)], [0, undefined]);
});

test('numbers beyond 32 bits have places of their own', () => {
  const map = new NumberMap<number>();
  const keys = Array.from({ length: 50 }, (_, index) => 2 ** 32 * index + 3);
  for (const key of keys) map.set(key, key);
  for (const key of keys) assert.equal(map.take(key), key);
});
