import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pages, root } from '../../support/pages.ts';

/** Where the recordings are that tests read is said once. */
const MAY_NAME_THE_FOLDER = new Set(['test/support/recordings.ts', 'test/unit/docs/outside.test.ts']);

const OUTSIDE = /\bfacts\/|\bcontract §|house\.md|\.\.\/shared|shared\/(?:cassettes|spec|design|reports|facts)/i;

test('no file refers to a document outside the repository', () => {
  const code = globSync('{src,test,bench,load,scripts}/**/*.ts', {
    cwd: root,
    exclude: (name) => name === 'node_modules' || name === '.peers',
  });
  const files = [...code.map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') })), ...pages];
  assert.ok(files.length > 500);
  for (const { file, text } of files) {
    if (MAY_NAME_THE_FOLDER.has(file)) continue;
    const [named] = OUTSIDE.exec(text) ?? [];
    assert.equal(named, undefined, file);
  }
});
