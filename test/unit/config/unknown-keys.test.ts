import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { parsedFrom } from '../../../src/config/manifests.ts';
import { takeUnknownKeys } from '../../../src/config/unknown-keys.ts';

function unknownIn(schema: z.ZodType, data: unknown): string[] {
  return takeUnknownKeys(schema, data, parsedFrom(data, 'x').document).map((warning) => warning.path);
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
