import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CheckAllowance } from '../../../src/authentication/check-allowances.ts';
import { GenerationCache } from '../../../src/core/generation-cache.ts';

describe('the memory of keys', () => {
  it('a generation cache never holds more than its capacity', () => {
    const memory = new GenerationCache<number>(1000);
    for (let index = 0; index < 100_000; index += 1) {
      memory.set(`key-${index}`, index);
      assert.ok(memory.size <= 1000);
    }
    assert.equal(memory.get('key-99999'), 99_999);
    assert.equal(memory.get('key-0'), undefined);
  });

  it('a generation cache keeps what is used while a flood passes through', () => {
    const memory = new GenerationCache<string>(100);
    memory.set('used', 'here');
    for (let index = 0; index < 10_000; index += 1) {
      memory.set(`key-${index}`, 'passing');
      if (index % 40 === 0) assert.equal(memory.get('used'), 'here');
    }
  });

  it('a generation cache holds the last value of a key, and forgets it in both generations', () => {
    const memory = new GenerationCache<number>(4);
    for (const [index, key] of ['a', 'b', 'c', 'a', 'd', 'a'].entries()) memory.set(key, index);
    assert.equal(memory.get('a'), 5);
    memory.delete('a');
    assert.equal(memory.get('a'), undefined);
    memory.deleteWhere((value) => value === 4);
    assert.equal(memory.get('d'), undefined);
    memory.clear();
    assert.equal(memory.size, 0);
  });
});

describe('the allowance of checks', () => {
  it('the allowance of checks is spent at once and comes back at its rate, up to the burst', () => {
    const allowance = new CheckAllowance(10, 3, 0);
    assert.deepEqual(
      [0, 0, 0, 0].map((now) => allowance.take(now)),
      [true, true, true, false],
    );
    assert.deepEqual(
      [50, 100, 100].map((now) => allowance.take(now)),
      [false, true, false],
    );
    assert.deepEqual(
      [9000, 9000, 9000, 9000].map((now) => allowance.take(now)),
      [true, true, true, false],
    );
  });

  it('the allowance of checks gives nothing when the clock is set back, and goes on from there', () => {
    const allowance = new CheckAllowance(10, 1, 1000);
    assert.deepEqual(
      [1000, 0, 50, 150].map((now) => allowance.take(now)),
      [true, false, false, true],
    );
  });
});
