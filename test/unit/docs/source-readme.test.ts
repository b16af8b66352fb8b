import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { blocks, page, root } from '../../support/pages.ts';

const text = page('src/README.md');

test('src/README.md names every folder and file at the top of src, and no other', () => {
  const [, tree = ''] = text.split('## The tree');
  const [block = ''] = blocks(tree, '');
  const named = [...block.matchAll(/^[├└]─ (\S+)/gm)].map(([, name]) => name);
  const there = readdirSync(join(root, 'src'))
    .filter((name) => name !== 'README.md')
    .map((name) => (statSync(join(root, 'src', name)).isDirectory() ? `${name}/` : name));
  assert.deepEqual(named.sort(), there.sort());
});

test('the paths of src that src/README.md names exist', () => {
  for (const [, path = ''] of text.matchAll(/`([a-z-]+(?:\/[a-z-]+)*\.ts)`/g)) {
    assert.ok(existsSync(join(root, 'src', path)) || existsSync(join(root, path)), path);
  }
});

test('the table of who may import whom is that of scripts/import-rules.ts', () => {
  const source = readFileSync(join(root, 'scripts/import-rules.ts'), 'utf8');
  const [, depths = ''] = /const DEPTHS[^{]*\{([^}]*)\}/.exec(source) ?? [];
  const expected = new Map([...depths.matchAll(/'?([\w.-]+)'?: (\d),/g)].map(([, name = '', depth]) => [name, depth]));
  assert.ok(expected.size > 10);
  const [, table = ''] = text.split('## Who may import whom');
  for (const [, depth, names = ''] of table.matchAll(/^\| (\d) \| (.*) \|$/gm)) {
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) {
      // What the script does not list stands above all.
      assert.equal(depth, expected.get(name) ?? '8', name);
      expected.delete(name);
    }
  }
  assert.deepEqual([...expected.keys()], [], 'not in the table');
});

test('every law in the table of src/README.md names tests that exist', () => {
  const [, table] = text.split('## Invariants, and the tests that hold them');
  const rows = [...(table?.split('\n## ')[0] ?? '').matchAll(/^\| (.+) \| (test\/[^|]+) \|$/gm)];
  assert.ok(rows.length > 60, `${rows.length} laws`);
  for (const [, law, tests] of rows) {
    let folder = '';
    for (const name of tests!.split(', ')) {
      // A name without its folder stands in that of the one before.
      const path = name.startsWith('test/') ? name : `${folder}/${name}`;
      folder = dirname(path);
      assert.ok(existsSync(join(root, path)), `${law}: ${path} is not there`);
    }
  }
});
