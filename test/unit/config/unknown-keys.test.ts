import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { takeUnknownKeys } from '../../../src/config/checks/unknown-keys.ts';
import { parsedFrom } from '../../../src/config/documents/manifests.ts';
import { restricting, restrictingKey } from '../../../src/config/scalar-schema.ts';

function unknownIn(schema: z.ZodType, data: unknown): string[] {
  return takeUnknownKeys(schema, data, parsedFrom(data, 'x').document).warnings.map((warning) => warning.path);
}

const one = z.object({ type: z.literal('one'), a: z.string() });
const two = z.object({ type: z.literal('two'), b: z.string() });

test('a union is read as the member that the literal keys name, even where it has faults', () => {
  const schema = z.object({ auth: z.discriminatedUnion('type', [one, two]).optional() });
  assert.deepEqual(unknownIn(schema, { auth: { type: 'two', a: 'x', b: 5 } }), ['auth.a']);
});

test('a union without literal keys is read as the member that accepts the value', () => {
  const schema = z.union([z.object({ a: z.string() }), z.object({ b: z.string() }), z.string()]);
  assert.deepEqual(unknownIn(schema, { b: 'x', c: 1 }), ['c']);
  assert.deepEqual(unknownIn(schema, 'text'), []);
});

test('unknown keys are found below lists, maps of any name, transforms, preprocessing and lazy schemas', () => {
  const item = z
    .object({ a: z.string() })
    .nullish()
    .transform((value) => value?.a);
  const schema = z.object({
    list: z.array(item),
    map: z.record(
      z.string(),
      z.lazy(() => one),
    ),
    prepared: z.preprocess((value) => value, one),
  });
  const data = {
    list: [{ a: 'x', z: 1 }, null],
    map: { any: { type: 'one', a: 'x', y: 1 } },
    prepared: { type: 'one', a: 'x', w: 1 },
  };
  assert.deepEqual(unknownIn(schema, data), ['list[0].z', 'map.any.y', 'prepared.w']);
});

test('a strict schema passes once unknown keys are taken out, and a loose one keeps them', () => {
  const strict = z.strictObject({ a: z.string() });
  const data = { a: 'x', b: 1 };
  assert.deepEqual(unknownIn(strict, data), ['b']);
  assert.ok(strict.safeParse(data).success);
  assert.deepEqual(unknownIn(z.looseObject({ a: z.string() }), { a: 'x', b: 1 }), []);
});

const rule = z.object({
  id: z.string(),
  when: restricting(z.object({ subjects: restricting(z.array(z.string())).optional() }), ['if']).optional(),
  expires_on: restricting(z.string().optional()),
  listed: restrictingKey(z.array(z.object({ name: z.string() }))).optional(),
});

/** The verdict on each unknown key of a map: `fault` or `warning`, and the remedy. */
function toldOf(data: object, kindRestricts = false): string[] {
  const { faults, warnings } = takeUnknownKeys(rule, { id: 'a', ...data }, parsedFrom({}, 'x').document, kindRestricts);
  return [
    ...faults.map(({ remedy }) => `fault: ${remedy}`),
    ...warnings.map(({ remedy }) => `warning: ${remedy ?? 'nothing'}`),
  ];
}

for (const [told, data] of [
  ['fault: Did you mean `when`?', { wehn: {} }],
  ['fault: Did you mean `when`?', { if: {} }],
  ['fault: Did you mean `subjects`?', { when: { subject: [] } }],
  ['fault: Did you mean `expires_on`?', { expiry: '2027-01-01' }],
  ['fault: Did you mean `expires_on`?', { expiresOn: '2027-01-01' }],
  ['fault: Its place is `when.subjects`', { subjects: [], when: {} }],
  ['fault: Did you mean `listed`?', { lsted: [] }],
] as const) {
  test(`${JSON.stringify(data)} leaves open what it seems to close, and is a ${told}`, () => {
    assert.deepEqual(toldOf(data), [told]);
  });
}

test('a key that is near to one that restricts nothing, or near to none, is a warning', () => {
  assert.deepEqual(toldOf({ idd: 'b' }), ['warning: Did you mean `id`?']);
  assert.deepEqual(toldOf({ comment: 'b' }), ['warning: nothing']);
  assert.deepEqual(toldOf({ listed: [{ name: 'a', nmae: 'b' }] }), ['warning: Did you mean `name`?']);
});

test('in a kind that restricts, every key that is near to a known one is a fault', () => {
  assert.deepEqual(toldOf({ idd: 'b' }, true), ['fault: Did you mean `id`?']);
  assert.deepEqual(toldOf({ comment: 'b' }, true), ['warning: nothing']);
});
