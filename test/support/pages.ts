import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The repository's Markdown pages, for the tests that hold what they say. */

export const root = resolve(import.meta.dirname, '../..');

export interface Page {
  /** From the root of the repository, as `docs/api.md`. */
  readonly file: string;
  readonly text: string;
}

export const pages: readonly Page[] = globSync('{*,docs/**/*,src/**/*,bench/**/*,load/**/*,examples/*,deploy/*}.md', {
  cwd: root,
  exclude: (name) => ['node_modules', '.peers', 'results', 'data'].includes(name),
})
  .sort()
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

export function page(file: string): string {
  const found = pages.find((each) => each.file === file);
  if (found === undefined) throw new Error(`there is no page ${file}`);
  return found.text;
}

/** Fenced blocks of a language, without their fences. */
export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, inside = '']) =>
    found === language ? [inside] : [],
  );
}

/** Inline code outside fenced blocks. */
export function inlineCode(text: string): string[] {
  const prose = text.replace(/^```\w*\n[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, inside = '']) => inside);
}

/** Lines under a heading of the second degree, up to the next. */
export function section(file: string, heading: string): string[] {
  const [, from] = page(file).split(`\n## ${heading}\n`);
  if (from === undefined) throw new Error(`${file} has no section ${heading}`);
  return (from.split('\n## ')[0] ?? '').split('\n');
}
