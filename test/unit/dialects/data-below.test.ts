import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExactObject } from '../../../src/codec/exact-json.ts';
import { slotsBelow, stringsBelow, type TextSlot } from '../../../src/dialects/guarded-form.ts';

const WRITTEN =
  '{"args":{"card":4111111111111111,"long":12345678901234567890,"ratio":1.50,"count":42,"list":[20250101,"x"],' +
  '"123-45-6789":{"bob@example.com":true},"k1":"v","__proto__":"p","name":null}}';

function read(collect: typeof slotsBelow): { body: Record<string, unknown>; slots: TextSlot[] } {
  const body = parseExactObject(WRITTEN) as Record<string, unknown>;
  const slots: TextSlot[] = [];
  collect(body, 'args', { kind: 'text' }, slots);
  return { body, slots };
}

test('guards read numbers that are long enough, keys that are no plain names, and all strings of data', () => {
  const { body, slots } = read(slotsBelow);
  assert.deepEqual(
    slots.map(({ holder, key }) => holder[key]),
    ['4111111111111111', '12345678901234567890', '20250101', 'x', 'bob@example.com', '123-45-6789', 'v', 'k1', 'p'],
  );
  assert.equal(JSON.stringify(body), WRITTEN);
});

test('a replacement of a number or of a key stands in its place, whatever else is changed beside it, and no value is lost', () => {
  const { body, slots } = read(slotsBelow);
  for (const { holder, key } of slots) holder[key] = `[${String(holder[key]).length}]`;
  assert.equal(
    JSON.stringify(body),
    '{"args":{"card":"[16]","long":"[20]","ratio":1.50,"count":42,"list":["[8]","[1]"],"__proto__":"[1]","name":null,' +
      '"[11]":{"[15]":true},"[2]":"[1]"}}',
  );
  const again = read(slotsBelow);
  for (const { holder, key } of again.slots.toReversed()) holder[key] = 'same';
  assert.equal(Object.keys(again.body['args'] as object).length, 9);
});

test('numbers of what is no data stay numbers', () => {
  const { slots } = read(stringsBelow);
  assert.deepEqual(
    slots.map(({ holder, key }) => holder[key]),
    ['x', 'v', 'p'],
  );
});
