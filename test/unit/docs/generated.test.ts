import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { z } from 'zod';
import { MANIFEST_KINDS } from '../../../scripts/docs/manifest-kinds.ts';
import { generatedPages } from '../../../scripts/docs.ts';
import { schemaKeys } from '../../../src/config/checks/schema-keys.ts';
import { type Loaded, loadConfiguration, type Refused } from '../../../src/config/load.ts';
import { keyWithDefault, optionalKey, text, wholeNumber } from '../../../src/config/scalar-schema.ts';
import { allPlugs } from '../../../src/plugs.ts';

const PLUGS = allPlugs();

test('the generated tables of the pages are what npm run docs writes', { timeout: 60_000 }, async () => {
  for (const { file, before, after } of await generatedPages()) {
    assert.equal(before, after, `${file} is out of date: run npm run docs`);
  }
});

test('keys of a schema are told with what is allowed, their default and what they are for', () => {
  const schema = z.object({
    type: z.literal('a/kind'),
    name: text().describe('How it is called.'),
    size: keyWithDefault(wholeNumber(1, 9), 3),
    inner: optionalKey(z.object({ on: keyWithDefault(z.boolean(), true) })),
    list: z.array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('x'), a: text(64) }),
        z.object({ type: z.literal('y'), b: z.enum(['p', 'q']) }),
      ]),
    ),
  });
  const keys = schemaKeys(schema);
  assert.equal(keys[0]?.meaning, 'How it is called.');
  const told = keys.map(({ path, allowed, required, fallback }) => [path, allowed, required, fallback]);
  assert.deepEqual(told, [
    ['name', 'text', true, undefined],
    ['size', 'a whole number from 1 to 9', false, 3],
    ['inner.on', '`true`, `false`', false, true],
    ['list', 'list, each map with `type`: `x`, `y`', true, undefined],
    ['list[type=x].a', 'text, up to 64 characters', true, undefined],
    ['list[type=y].b', '`p`, `q`', true, undefined],
  ]);
});

test('docs/manifests.md has the keys of every kind that loads', (context) => {
  const result = loadYaml(context, { type: 'no-such-kind' });
  assert.ok('faults' in result);
  const [, supported = ''] = /^Supported are (.*)$/.exec(result.faults[0]?.remedy ?? '') ?? [];
  const told = [...MANIFEST_KINDS.map(({ type }) => type), 'sluice/server'];
  assert.deepEqual(told.sort(), supported.split(', ').sort());
});

function loadYaml(context: TestContext, manifest: object): Loaded | Refused {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'sluice.yaml'), stringify(manifest));
  return loadConfiguration({ paths: [join(folder, 'sluice.yaml')], environment: {}, kinds: PLUGS, wellKnown: [] });
}
