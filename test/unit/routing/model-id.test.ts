import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkModelId } from '../../../src/routing/model-routes.ts';

test('letters, digits and . _ : / @ + - make a model id, 1 to 256 of them', () => {
  for (const name of [
    'a',
    'openai/gpt-4o',
    'meta-llama/Llama-3.1-8B-Instruct:free',
    'acct/ft:gpt-4o:acme::9x',
    '@cf/meta/llama+x_1',
    'a..b',
    'a/...',
    '..a/b',
    'x'.repeat(256),
  ]) {
    assert.equal(checkModelId(name), undefined, name);
  }
});

test('any other model id is refused before a rule or a path is built from it', () => {
  for (const name of [
    '',
    'x'.repeat(257),
    'a b',
    'a\n',
    'a\0b',
    'é',
    'a%2fb',
    'a?b',
    'a#b',
    'a"b',
    'a\\b',
    'a*',
    '..',
    '../a',
    'a/..',
    'a/../b',
  ]) {
    const error = checkModelId(name);
    assert.equal(error?.code, 'invalid_model', JSON.stringify(name));
    assert.equal(error?.status, 400);
    assert.equal(error?.context.param, 'model');
  }
});
