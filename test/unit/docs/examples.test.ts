import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noOpenssl } from '../../support/certificate.ts';
import { checkStrict, textOf } from '../../support/deploy-files.ts';
import { root, section } from '../../support/pages.ts';

const examples = readdirSync(join(root, 'examples')).sort();

for (const name of examples) {
  test(`sluice check --strict has nothing to say about examples/${name}`, { skip: noOpenssl }, async (t) => {
    const { code, said } = await checkStrict(t, await textOf(`examples/${name}`));
    assert.match(said, /^\d files?, 0 faults, 0 warnings\n$/);
    assert.equal(code, 0);
  });

  test(`examples/${name} begins with a comment that says what it is for`, async () => {
    assert.match(await textOf(`examples/${name}`), /^# [A-Z].{30,}/);
  });
}

test('docs/configuration.md lists every example, and no other', () => {
  const listed = section('docs/configuration.md', 'Examples').flatMap(
    (line) => /^\| \[`([\w.-]+)`\]\(\.\.\/examples\/\1\) \|/.exec(line)?.[1] ?? [],
  );
  assert.deepEqual(listed.sort(), examples);
});
