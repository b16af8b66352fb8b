import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spokenCharacters } from '../../../../src/dialects/openai-audio/spoken-characters.ts';

test('characters are code points, however the JSON writes them', () => {
  for (const json of [
    '""',
    '"abc"',
    '"Grüße 🎵"',
    '"\\u00fc\\n\\"\\\\"',
    '"\\ud83c\\udfb5x"',
    '"\\uDBFF\\uDFFF\\ud7ff"',
  ]) {
    const body = Buffer.from(`{"input":${json}}`);
    const expected = [...(JSON.parse(json) as string)].length;
    assert.equal(spokenCharacters(body, 9, body.length - 1), expected, json);
  }
  assert.equal(spokenCharacters(Buffer.from('17'), 0, 2), 0);
  const long = Buffer.from(JSON.stringify('x'.repeat(2_000_000)));
  assert.equal(spokenCharacters(long, 0, long.length), 2_000_000);
});
