import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { membersOf, type Schema } from '../../../src/config/checks/schema-walk.ts';
import { allKinds, KINDS, NOTHING_GIVEN } from '../../../src/config/kinds/kinds.ts';
import { KINDS_TO_COME } from '../../../src/config/kinds/kinds-to-come.ts';
import type { KindContext, ManifestKind } from '../../../src/config/kinds/manifest-kind.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import { KnownModels } from '../../../src/config/rules/known-models.ts';

const kinds = allKinds();

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

test('a kind with keys that need a restart adds to every configuration, so that each reload looks at them', () => {
  const withKeys = KINDS.filter((row) => row.kind().restartKeys !== undefined);
  assert.deepEqual(
    withKeys.map(({ always }) => always),
    withKeys.map(() => true),
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

test('a kind without a manifest gives what is given without its code, and finds no fault', () => {
  const report = { faults: [], warnings: [], files: [] };
  const context: KindContext = {
    report,
    environment: {},
    overrides: {},
    models: new KnownModels([], false),
    written: () => [],
    faultyNames: () => [],
  };
  assert.deepEqual(
    KINDS.map(({ type }) => type),
    kinds.map(({ type }) => type),
  );
  for (const row of KINDS.filter(({ always }) => !always)) {
    const kind: ManifestKind = row.kind();
    kind.check?.([], context);
    for (const [key, value] of Object.entries(kind.part?.([], context) ?? {})) {
      const nothing: unknown = Reflect.get(NOTHING_GIVEN, key);
      if (Array.isArray(value)) assert.deepEqual(nothing, value, `${row.type}: ${key}`);
      else assert.deepEqual({ ...Object(nothing), ...Object(value) }, nothing, `${row.type}: ${key}`);
    }
  }
  assert.deepEqual(report, { faults: [], warnings: [], files: [] });
});
