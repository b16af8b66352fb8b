import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonAnswers } from '../../../../src/dialects/openai-json/json-answers.ts';

const form = jsonAnswers();
const USAGE = '"usage":{"prompt_tokens":1}';

function errorOf(answer: string): unknown {
  return form.whole(Buffer.from(answer))?.error;
}

test('an answer that names an error has failed, wherever it stands and whatever words like it stand around', () => {
  const failed = '"error":{"message":"no"}';
  for (const answer of [
    `{${failed}}`,
    `{${failed},${USAGE}}`,
    `{${USAGE},${failed}}`,
    `{"id":"terror",${failed},${USAGE}}`,
    `{"mirror":"rror","last_error":null,${failed},${USAGE}}`,
    `{"text":"an \\"error\\"",${failed},${USAGE}}`,
  ])
    assert.deepEqual(errorOf(answer), { message: 'no' }, answer);
});

test('a word that ends like an error is none', () => {
  for (const answer of [
    `{"id":"terror",${USAGE}}`,
    `{"rror":{"message":"no"},${USAGE}}`,
    `{"rror"`,
    `{"last_error":{"message":"no"},${USAGE}}`,
    `{"error":null,${USAGE}}`,
    `{"choices":[{"error":{"message":"no"}}],${USAGE}}`,
    `{"text":"\\"error\\": {}",${USAGE}}`,
  ])
    assert.equal(errorOf(answer), undefined, answer);
});
