import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SharedAnswers } from '../../../src/cache/shared-answers.ts';

const MAX_BYTES = 1_048_576;
const keyOf = (number: number) => Int32Array.from([number * 7919, number, 1, 2]);
const SPACE = [1, 2] as const;

test('an answer is found by every thread until its end, and by no other key', () => {
  const first = new SharedAnswers(MAX_BYTES, 0);
  const second = new SharedAnswers(MAX_BYTES, 1, first.buffer);
  const entry = randomBytes(5_000);
  assert.equal(first.set(keyOf(1), entry, 100, SPACE), true);
  assert.deepEqual(second.get(keyOf(1), 99)?.entry, entry);
  assert.equal(second.get(keyOf(1), 100)?.entry, undefined);
  assert.equal(second.get(keyOf(2), 99)?.entry, undefined);
});

test('memory is bounded by bytes: the oldest make room, and what is found is what was stored', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  const stored = new Map<number, Buffer>();
  for (let number = 0; number < 3_000; number += 1) {
    const entry = randomBytes(1 + ((number * 631) % 9_000));
    stored.set(number, entry);
    answers.set(keyOf(number), entry, 100, SPACE);
    assert.ok(answers.memory().usedBytes <= MAX_BYTES);
    for (const each of [number, number - 40, number - 200, number - 1_000]) {
      const found = each < 0 ? undefined : answers.get(keyOf(each), 1)?.entry;
      if (found !== undefined) assert.deepEqual(found, stored.get(each));
    }
  }
  assert.deepEqual(answers.get(keyOf(2_999), 1)?.entry, stored.get(2_999));
  assert.equal(answers.get(keyOf(0), 1)?.entry, undefined);
  const { entries, evicted } = answers.memory();
  assert.equal(entries + evicted, 3_000);
  assert.equal([...answers.slots(1)].length, entries);
});

test('an answer that is asked for again and again outlives one that nobody asks for', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  const wanted = randomBytes(1_000);
  answers.set(keyOf(1), wanted, 100, SPACE);
  for (let number = 2; number < 3_000; number += 1) {
    answers.set(keyOf(number), randomBytes(4_000), 100, SPACE);
    assert.deepEqual(answers.get(keyOf(1), 1)?.entry, wanted, `after ${number}`);
  }
});

test('an answer that is stored again takes the place of the one before', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  answers.set(keyOf(1), Buffer.from('old'), 100, SPACE);
  answers.set(keyOf(1), Buffer.from('new'), 100, SPACE);
  assert.equal(answers.get(keyOf(1), 1)?.entry.toString(), 'new');
  assert.equal(answers.memory().entries, 1);
});

test('one answer never takes more than a quarter of the memory, and none where there is none', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  assert.equal(answers.set(keyOf(1), Buffer.alloc(MAX_BYTES / 4), 100, SPACE), false);
  const none = new SharedAnswers(0, 0);
  assert.equal(none.set(keyOf(1), Buffer.alloc(1), 100, SPACE), false);
  assert.equal(none.get(keyOf(1), 1)?.entry, undefined);
});

test('a namespace is flushed by itself, and all of them together', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  for (let number = 0; number < 10; number += 1) {
    answers.set(keyOf(number), Buffer.from('x'), 100, number % 2 === 0 ? SPACE : [3, 4]);
  }
  assert.equal(answers.flush(SPACE), 5);
  assert.equal(answers.get(keyOf(0), 1)?.entry, undefined);
  assert.equal(answers.get(keyOf(1), 1)?.entry.toString(), 'x');
  assert.equal(answers.flush(), 5);
  assert.equal(answers.memory().entries, 0);
});

test('a thread that died in the middle of a write leaves an empty cache, not a broken one', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  answers.set(keyOf(1), Buffer.from('x'), 100, SPACE);
  // As its writer left it: the mark of a write that did not end.
  new Int32Array(answers.buffer)[7] = 1;
  assert.equal(answers.get(keyOf(1), 1)?.entry, undefined);
  assert.equal(answers.set(keyOf(2), Buffer.from('y'), 100, SPACE), true);
  assert.equal(answers.get(keyOf(2), 1)?.entry.toString(), 'y');
  assert.equal(answers.memory().entries, 1);
});

test('an answer that is held is looked up no more only while it is what a look would find', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  const entry = Buffer.alloc(1_000);
  answers.set(keyOf(1), entry, 100, SPACE);
  const { place } = answers.get(keyOf(1), 1) ?? assert.fail();
  assert.equal(answers.isStill(keyOf(1), place, 99), true);
  assert.equal(answers.isStill(keyOf(1), place, 100), false, 'expired');
  assert.equal(answers.isStill(keyOf(2), place, 99), false, 'another');
  answers.set(keyOf(1), entry, 100, SPACE);
  assert.equal(answers.isStill(keyOf(1), place, 99), false, 'written anew');
  const next = answers.get(keyOf(1), 1) ?? assert.fail();
  assert.equal(answers.isStill(keyOf(1), next.place, 99), true);
  answers.flush(SPACE);
  assert.equal(answers.isStill(keyOf(1), next.place, 99), false, 'flushed');
});

test('an answer that is held and asked for again and again is not driven out', () => {
  const answers = new SharedAnswers(MAX_BYTES, 0);
  const wanted = randomBytes(1_000);
  answers.set(keyOf(1), wanted, 100, SPACE);
  let { place } = answers.get(keyOf(1), 1) ?? assert.fail();
  for (let number = 2; number < 200; number += 1) {
    answers.set(keyOf(number), randomBytes(4_000), 100, SPACE);
    if (answers.isStill(keyOf(1), place, 1)) continue;
    const found = answers.get(keyOf(1), 1);
    assert.deepEqual(found?.entry, wanted, `after ${number}`);
    place = found.place;
  }
});
