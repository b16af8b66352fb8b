import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../support/pages.ts';

/** `Of the request.` and `Who asks.` lean on the name below them, and say less than `The headers of the request.` */
const LEANING_COMMENT = /^[ \t]*(?:\/\/|\/\*\*|\/\*\*\n[ \t]*\*) (?:Of|For|Who|Whoever|What is|By what) .*/gm;

test('a comment begins with its subject, and not with Of, For, Who or What is', () => {
  const files = globSync('{src,bench,load,scripts,test}/**/*.{ts,js}', { cwd: root }).filter(
    (file) => !/node_modules|fixtures|results/.test(file),
  );
  assert.ok(files.length > 1000);
  for (const file of files) {
    const leaning = readFileSync(join(root, file), 'utf8').match(LEANING_COMMENT) ?? [];
    // A sentence that goes on from the line before may have the word at the beginning of a line.
    assert.deepEqual(
      leaning.filter((comment) => !comment.includes('//')),
      [],
      file,
    );
  }
});

/** `what is refused ends the stream` names no subject; `a refused text ends the stream` does. */
const SUBJECTLESS_TITLE = /\b(?:test|it)\(\s*['"`](?:[Tt]hat|[Ww]hat|[Ww]hoever|[Ww]ho) .*/g;

test('a title of a test begins with its subject', () => {
  const files = globSync('test/**/*.test.ts', { cwd: root });
  assert.ok(files.length > 500);
  for (const file of files)
    assert.deepEqual(readFileSync(join(root, file), 'utf8').match(SUBJECTLESS_TITLE) ?? [], [], file);
});
