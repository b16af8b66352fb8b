import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePatterns } from '../../../src/policy/model-pattern.ts';
import { leastMs } from '../growth.ts';

const covered: [pattern: string, model: string][] = [
  ['a/b', 'a/b'],
  ['*', 'a/b'],
  ['**', ''],
  ['a/*', 'a/'],
  ['a/*', 'a/b/c'],
  ['*/gpt-4o', 'openai/gpt-4o'],
  ['*4o*', '4o'],
  ['a*b*c', 'abc'],
  ['a*b*c', 'a-b-b-c'],
  ['a*bc*c', 'abcbcc'],
  ['a**c', 'ac'],
  ['*aa*aa*', 'aaaa'],
  ['a.c', 'a.c'],
];
const uncovered: [pattern: string, model: string][] = [
  ['a/b', 'a/bc'],
  ['a/b', 'A/b'],
  ['a/*', 'a'],
  ['a/*', 'ab/c'],
  ['*/gpt-4o', 'openai/gpt-4o-mini'],
  ['ab*ba', 'aba'],
  ['*aa*aa*', 'aaa'],
  ['a*b*c', 'acb'],
  ['a*bc*c', 'abc'],
  ['a.c', 'abc'],
  ['', 'a'],
];

describe('a model pattern', () => {
  for (const [pattern, model] of covered)
    it(`the model pattern '${pattern}' covers '${model}'`, () => assert.equal(compilePatterns([pattern])(model), true));
  for (const [pattern, model] of uncovered)
    it(`the model pattern '${pattern}' does not cover '${model}'`, () =>
      assert.equal(compilePatterns([pattern])(model), false));

  it('a pattern list covers what any of its patterns covers, and an empty list nothing', () => {
    const matches = compilePatterns(['a/b', 'c/*', '*/e']);
    assert.deepEqual(['a/b', 'c/d', 'd/e', 'f/g'].map(matches), [true, true, true, false]);
    assert.equal(compilePatterns([])('a/b'), false);
  });

  it('a model pattern agrees with a regular expression on every short pattern and name', () => {
    const words = (letters: string, length: number): string[] =>
      length === 0
        ? ['']
        : ['', ...[...letters].flatMap((letter) => words(letters, length - 1).map((w) => letter + w))];
    const models = [...new Set(words('ab', 5))];
    for (const pattern of new Set(words('ab*', 4))) {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      const matches = compilePatterns([pattern]);
      for (const model of models) assert.equal(matches(model), expression.test(model), `${pattern} on ${model}`);
    }
  });

  it('a model pattern of many stars does not backtrack', () => {
    const matches = compilePatterns([`${'a*'.repeat(100)}b`]);
    const ms = leastMs(() => {
      for (let round = 0; round < 100; round += 1) matches('a'.repeat(256));
    }, 3);
    assert.ok(ms < 1000, `${ms} ms`);
  });

  it('a model pattern list is compiled once', () => {
    const patterns = ['a/*'];
    assert.equal(compilePatterns(patterns), compilePatterns(patterns));
  });
});
