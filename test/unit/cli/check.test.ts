import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CheckOptions, check } from '../../../src/cli/check.ts';
import { blocks, page } from '../../support/pages.ts';
import { exampleKind, manifestFolder } from '../config/manifest-folder.ts';

/** Asks nobody. */
const nobody = { openAccounts: () => [], tokenSources: () => [], probeOf: () => undefined };

async function run(t: TestContext, files: Record<string, string>, options: CheckOptions = {}) {
  const folder = manifestFolder(t, files);
  const [out, err]: [string[], string[]] = [[], []];
  const context = {
    kinds: [exampleKind],
    environment: {},
    online: nobody,
    out: (text: string) => void out.push(text),
    error: (text: string) => void err.push(text),
  };
  const code = await check([folder], options, context);
  const shown = (lines: string[]) => lines.map((line) => `${line}\n`.replaceAll(join(folder, '/'), '')).join('');
  return { code, out: shown(out), err: shown(err) };
}

test('sluice check exits with 0 and counts for a good set of manifests', async (t) => {
  const result = await run(t, { 'a.yaml': 'type: sluice/server', 'b.yaml': 'type: provider-account/example\nname: b' });
  assert.deepEqual(result, { code: 0, out: '2 files, 0 faults, 0 warnings\n', err: '' });
});

test('sluice check prints a line for each fault of each file, and exits with 1', async (t) => {
  const result = await run(t, {
    'a.yaml': 'type: sluice/server\nthreads: 0',
    'b.yaml': 'type: provider-account/example',
  });
  assert.equal(result.code, 1);
  assert.match(
    result.err,
    /^a\.yaml:2:10 threads: .* — found 0; allowed: .*\nb\.yaml:1:1 name: this key is missing — .*\n$/,
  );
  assert.equal(result.out, '2 files, 2 faults, 0 warnings\n');
});

test('sluice check exits with 0 for warnings alone, and says that they are warnings', async (t) => {
  const result = await run(t, {
    'a.yaml': 'type: sluice/server\nfeature_x: 1\noperator: {admin_key: a-literal-key-of-24-chars}',
  });
  assert.equal(result.code, 0);
  assert.equal(result.err, '');
  assert.match(
    result.out,
    /a\.yaml:2:1 feature_x: warning: .*\na\.yaml:3:23 operator\.admin_key: warning: a secret .*\n1 file, 0 faults, 2 warnings\n$/,
  );
});

test('sluice check --strict treats a warning as a fault, and exits with 1', async (t) => {
  const result = await run(t, { 'a.yaml': 'type: sluice/server\nfeature_x: 1' }, { strict: true });
  assert.deepEqual(result, {
    code: 1,
    err: 'a.yaml:2:1 feature_x: the key `feature_x` is not known here and has no effect\n',
    out: '1 file, 1 fault, 0 warnings\n',
  });
});

test('sluice check without a path is refused', async () => {
  const ignore = () => undefined;
  assert.equal(await check([], {}, { kinds: [], environment: {}, online: nobody, out: ignore, error: ignore }), 1);
});

test('docs/configuration.md shows what `sluice check` prints', async (t) => {
  const lines = [
    'type: sluice/server',
    'timeouts: {idle_ms: fast}',
    'limts: {}',
    '---',
    'type: agent-identity',
    '---',
    'type: provider-account/example',
    'name: a',
    'note: x',
  ];
  const { out, err } = await run(t, { 'a.yaml': lines.join('\n') });
  const shown = blocks(page('docs/configuration.md'), '').find((block) => block.includes('1 file, 3 faults'));
  assert.equal(err + out, shown?.replaceAll('config/', ''));
});
