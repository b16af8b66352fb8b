import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { test } from 'node:test';
import { page, pages, root } from '../../support/pages.ts';

test('the README has at most 250 lines', () => {
  assert.ok(page('README.md').split('\n').length - 1 <= 250);
});

test('every page of docs/ is linked from docs/README.md', () => {
  const linked = links(page('docs/README.md')).map((link) => normalize(join('docs', link.split('#')[0] ?? '')));
  for (const { file } of pages) {
    if (file.startsWith('docs/') && file !== 'docs/README.md') assert.ok(linked.includes(file), file);
  }
});

test('every link of every page leads to a file that exists, and to a heading of it', () => {
  for (const { file, text } of pages) {
    for (const link of links(text).filter((each) => !/^(https?|mailto):/.test(each))) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(root, file) : resolve(dirname(join(root, file)), path);
      assert.ok(existsSync(target), `${file}: ${link}`);
      if (anchor !== undefined) assert.ok(anchors(readFileSync(target, 'utf8')).includes(anchor), `${file}: ${link}`);
    }
  }
});

test('every file that a page names exists', () => {
  const named = /(?<![\w./-])(?:src|test|scripts|bench|load|docs|examples|deploy)\/[a-z0-9./-]+\.(?:ts|md|yaml|yml)\b/g;
  for (const { file, text } of pages) {
    for (const [path] of text.matchAll(named)) {
      // Links are relative to their page; the test above follows them.
      assert.ok(
        existsSync(join(root, path)) || existsSync(resolve(dirname(join(root, file)), path)),
        `${file}: ${path}`,
      );
    }
  }
});

test('every file of examples/ is named by a page of docs/ or by the README', () => {
  const told = pages
    .filter(({ file }) => file === 'README.md' || file.startsWith('docs/'))
    .map(({ text }) => text)
    .join('\n');
  for (const example of globSync('examples/*.{yaml,yml}', { cwd: root })) assert.ok(told.includes(example), example);
});

function links(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
}

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
