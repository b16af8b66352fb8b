import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { membersOf, type Schema } from '../../../src/config/checks/schema-walk.ts';
import { KINDS } from '../../../src/config/kinds/kinds.ts';
import { KINDS_TO_COME } from '../../../src/config/kinds/kinds-to-come.ts';
import type { ManifestKind } from '../../../src/config/kinds/manifest-kind.ts';
import { loadConfiguration } from '../../../src/config/load.ts';

const kinds: readonly ManifestKind[] = KINDS;

/** Keys that a person could write and that say nothing of what they are for. */
function undescribed(schema: Schema, path = ''): string[] {
  return membersOf(schema).flatMap((known) => {
    const { def } = known._zod;
    if (def.type === 'array') return undescribed(def.element, `${path}[]`);
    if (def.type === 'record') return undescribed(def.valueType, `${path}.*`);
    if (def.type !== 'object') return [];
    return Object.entries(def.shape).flatMap(([key, next]) => {
      const below = path === '' ? key : `${path}.${key}`;
      // `type: openai` says itself what it is.
      const told = next._zod.values?.size === 1 || describedAt(next);
      return [...(told ? [] : [below]), ...undescribed(next, below)];
    });
  });
}

function describedAt(schema: Schema): boolean {
  return z.globalRegistry.get(schema)?.description !== undefined;
}

for (const { type, schema } of kinds) {
  test(`every key of ${type} says what it is for`, () => {
    assert.deepEqual(undescribed(schema), []);
  });
}

test('a kind is read or still to come, never both, and stands once', () => {
  const types = kinds.map(({ type }) => type);
  assert.equal(new Set(types).size, types.length);
  assert.deepEqual(
    types.filter((type) => KINDS_TO_COME.has(type)),
    [],
  );
});

test('the value of every key that needs a restart has its place in the configuration', () => {
  const loaded = loadConfiguration({ paths: [], environment: {}, kinds: [], wellKnown: [] });
  assert.ok('configuration' in loaded);
  const optional = new Set(['server.gatewayId', 'server.mcp.secret']);
  for (const { restartKeys = {} } of kinds) {
    for (const place of Object.values(restartKeys)) {
      const value = place
        .split('.')
        .reduce<unknown>((at, step) => Reflect.get(at as object, step), loaded.configuration);
      assert.ok(value !== undefined || optional.has(place), place);
    }
  }
});
