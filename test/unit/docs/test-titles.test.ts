import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../support/pages.ts';

const TITLE = /^[ \t]*(?:\w+\.)?(?:test|it)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gm;
/** A title that begins with one of these leans on the `describe` around it, which a list of failures does not show. */
const LEANS = /^(?:is|are|was|were|has|have|does|may|can|that|which|whose|of|and|by|where|also|so)\b/;

test('the title of every test is a sentence with a subject of its own', () => {
  let titles = 0;
  for (const file of globSync('test/**/*.test.ts', { cwd: root })) {
    for (const [, , title = ''] of readFileSync(join(root, file), 'utf8').matchAll(TITLE)) {
      titles += 1;
      assert.doesNotMatch(title, LEANS, file);
      assert.ok(title.trim().split(/\s+/).length >= 3, `${file}: ${title}`);
    }
  }
  assert.ok(titles > 1000);
});
