import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeekKeys } from '../../../src/codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../../src/codec/top-level-values.ts';

const keys = new PeekKeys(['usage', 'error']);
const USAGE = Buffer.from('usage"');
const of = (text: string) => topLevelValues(Buffer.from(text), keys);

test('the values of the keys of one JSON object are given, at its top level only', () => {
  assert.deepEqual(of('{"a":{"usage":1},"usage":{"b":[2]},"error":null}'), { usage: { b: [2] }, error: null });
  assert.deepEqual(of('{}'), {});
  assert.deepEqual(of(String.raw`{"text":"\"usage\":1"}`), {});
});

test('bytes that are not one whole JSON object have no values', () => {
  for (const text of ['', '[1]', '{"usage":{}', '{"usage":{}}{}', '"usage"', '{"usage":}', 'null']) {
    assert.equal(of(text), undefined, text);
  }
});

test('a key that stands twice, or in other letters, does not make an object none', () => {
  assert.deepEqual(of('{"usage":1,"usage":2}'), { usage: 1 });
  assert.deepEqual(of('{"error":1,"Usage":2}'), { error: 1 });
});

test('a value with a word that only Python writes is left out, and the others are told', () => {
  assert.deepEqual(of('{"choices":[{"logprob":NaN}],"usage":{"a":1},"error":1}'), { usage: { a: 1 }, error: 1 });
  assert.deepEqual(of('{"usage":{"a":-Infinity},"error":1}'), { error: 1 });
  assert.equal(of('{"usage":{"a":nope},"error":1}'), undefined);
});

test('only values that end within the first bytes are given of them', () => {
  const text = '{"usage":{"a":1},"error":{"b":';
  assert.deepEqual(valuesOfBeginning(Buffer.from(text), keys), { usage: { a: 1 } });
});

test('values of the last bytes are given that stand from a key on to the end of the object', () => {
  const end = (text: string) => valuesOfEnd(Buffer.from(text), keys, USAGE);
  assert.deepEqual(end('…half a text","usage":{"a":1},"error":2}'), { usage: { a: 1 }, error: 2 });
  assert.equal(end('…half a text","usage":{"a":1}},"more":{}}'), undefined, 'it is of an object within');
  assert.equal(end(String.raw`…\"usage":{"a":1}}`), undefined, 'its quote is escaped');
  assert.equal(end('usage":{"a":1}}'), undefined, 'its quote may be escaped');
  assert.equal(end('{"error":1}'), undefined);
});

test('the end of an object tells the same, be it parsed because it is short or searched because it is long', () => {
  const beginnings = ['{"text":"\\"usage\\":1","usage":', '{"a":{"b":[{"usage":', '["usage":', '{"x":"usage","usage":'];
  const values = [
    '{"a":1}',
    'null',
    '"te\\u0078t"',
    '-1.5e3',
    '{"a":NaN}',
    '{"a":01}',
    '[1,{"error":2}]',
    '{"__proto__":1}',
    'ü',
  ];
  const ends = ['}', ',"error":{"c":"ü"}}', '}]}}', '}}', '', '} \n', '}x', ',}', ',"error":"\ud83d\ude00"}'];
  for (const beginning of beginnings) {
    for (const value of values) {
      for (const end of ends) {
        const short = Buffer.from(beginning + value + end);
        const long = Buffer.from(beginning + value + ' '.repeat(2_000) + end);
        const told = [short, long].map((bytes) => valuesOfEnd(bytes, keys, USAGE) ?? topLevelValues(bytes, keys));
        assert.deepEqual(told[0], told[1], short.toString());
      }
    }
  }
});
