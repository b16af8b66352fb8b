import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { z } from 'zod';
import { MANIFEST_KINDS } from '../../../scripts/docs/manifest-kinds.ts';
import { schemaKeys } from '../../../scripts/docs/schema-keys.ts';
import { NEEDS_RESTART } from '../../../scripts/docs/server-settings.ts';
import { generatedPages } from '../../../scripts/docs.ts';
import { type Loaded, loadConfiguration, type Refused } from '../../../src/config/load.ts';
import { applyReload } from '../../../src/config/reload.ts';
import { keyWithDefault, optionalKey, text, wholeNumber } from '../../../src/config/scalar-schema.ts';
import { serverSchema } from '../../../src/config/server-schema.ts';
import { PLUGS } from '../../../src/plugs.ts';

test('the generated tables of the pages are what npm run docs writes', { timeout: 60_000 }, async () => {
  for (const { file, before, after } of await generatedPages()) {
    assert.equal(before, after, `${file} is out of date: run npm run docs`);
  }
});

test('keys of a schema are told with what is allowed, whether they are required, and their default', () => {
  const schema = z.object({
    type: z.literal('a/kind'),
    name: text(),
    size: keyWithDefault(wholeNumber(1, 9), 3),
    inner: optionalKey(z.object({ on: keyWithDefault(z.boolean(), true) })),
    list: z.array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('x'), a: text(64) }),
        z.object({ type: z.literal('y'), b: z.enum(['p', 'q']) }),
      ]),
    ),
  });
  const told = schemaKeys(schema).map(({ path, allowed, required, fallback }) => [path, allowed, required, fallback]);
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

/** Another value for each key whose schema does not tell one. */
const OTHER_VALUES: Readonly<Record<string, unknown>> = {
  'listen.host': '127.0.0.2',
  'listen.tls.cert_file': 'other',
  'listen.tls.key_file': 'other',
  'operator.host': '127.0.0.2',
  'operator.port': 9999,
  'operator.admin_key': 'another key',
  threads: 7,
  data_dir: 'other',
  'store.database': 'postgres://user:password@host:5432/other',
  'store.counters': 'redis://other:6379/0',
  demo: true,
  'cors.allowed_origins': ['*'],
  'ledger.metadata_keys': ['other'],
  'metrics.metadata_keys': ['other'],
  gateway_id: 'other',
};

test('the settings that are said to need a restart are those of which a reload keeps the old value', (context) => {
  const before = loadYaml(context, { type: 'sluice/server' });
  assert.ok(!('faults' in before));
  for (const key of schemaKeys(serverSchema)) {
    // There is only one value yet.
    if (key.path === 'store.blobs') continue;
    const written: Record<string, unknown> = { type: 'sluice/server' };
    put(written, key.path, otherValue(key.path, key.allowed, key.fallback));
    if (key.path.startsWith('listen.tls.')) put(written, 'listen.tls', { cert_file: 'other', key_file: 'other' });
    if (key.path === 'cors.max_age_seconds') put(written, 'cors.allowed_origins', ['*']);
    const after = loadYaml(context, written);
    assert.ok(!('faults' in after), `${key.path}: ${JSON.stringify('faults' in after && after.faults)}`);
    const reloaded = applyReload(before.configuration, after);
    assert.ok(!('faults' in reloaded), key.path);
    const keeps = reloaded.warnings.some(({ code }) => code === 'restart-needed');
    const told = NEEDS_RESTART.some((path) => key.path === path || key.path.startsWith(`${path}.`));
    assert.equal(keeps, told, key.path);
  }
});

function otherValue(path: string, allowed: string, fallback: unknown): unknown {
  if (path in OTHER_VALUES) return OTHER_VALUES[path];
  if (typeof fallback === 'number') return fallback + 1;
  if (typeof fallback === 'boolean') return !fallback;
  return [...allowed.matchAll(/`([^`]+)`/g)].map(([, value]) => value).find((value) => value !== fallback);
}

function put(into: Record<string, unknown>, path: string, value: unknown): void {
  const [first = '', ...rest] = path.split('.');
  if (rest.length === 0) {
    into[first] = value;
    return;
  }
  const inner: Record<string, unknown> = {};
  put(inner, rest.join('.'), value);
  into[first] = { ...z.record(z.string(), z.unknown()).optional().parse(into[first]), ...inner };
}

function loadYaml(context: TestContext, manifest: object): Loaded | Refused {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'other'), 'other');
  writeFileSync(join(folder, 'sluice.yaml'), stringify(manifest));
  return loadConfiguration({ paths: [join(folder, 'sluice.yaml')], environment: {}, kinds: PLUGS, wellKnown: [] });
}
