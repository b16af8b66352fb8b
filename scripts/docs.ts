/**
 * `npm run docs`: fills what a page says is generated, between `<!-- generated: NAME -->` and `<!-- end -->`. With
 * `--check` it writes nothing, names the pages that are out of date and exits with 1.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorTable } from './docs/error-table.ts';
import { featureTable, messageFeatureTable, responseFeatureTable } from './docs/feature-table.ts';
import { familyTable, hostTable, refusedParameters } from './docs/host-table.ts';
import { manifestKeyTables, serverSettingsTable } from './docs/key-tables.ts';
import { metricTable } from './docs/metric-table.ts';
import { pairTable } from './docs/pair-table.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What can be generated, by the name that stands in a page. */
const BLOCKS: Readonly<Record<string, () => string | Promise<string>>> = {
  errors: errorTable,
  metrics: metricTable,
  'server-settings': serverSettingsTable,
  'manifest-keys': manifestKeyTables,
  'provider-features': featureTable,
  'message-features': messageFeatureTable,
  'response-features': responseFeatureTable,
  pairs: pairTable,
  hosts: hostTable,
  'model-families': familyTable,
  'refused-parameters': refusedParameters,
};

const BLOCK = /^<!-- generated: ([\w-]+) -->$[\s\S]*?^<!-- end -->$/gm;

export interface GeneratedPage {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** Every page that has a generated block: as it is, and as it should be. */
export async function generatedPages(): Promise<GeneratedPage[]> {
  const made = new Map<string, Promise<string>>();
  const block = (name: string): Promise<string> => {
    const make = BLOCKS[name];
    if (make === undefined) throw new Error(`nothing generates \`${name}\`; there are ${Object.keys(BLOCKS)}`);
    const text = made.get(name) ?? Promise.resolve(make());
    made.set(name, text);
    return text;
  };
  const pages: GeneratedPage[] = [];
  for (const file of globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort()) {
    const before = readFileSync(join(root, file), 'utf8');
    let after = before;
    for (const [whole, name = ''] of before.matchAll(BLOCK)) {
      const filled = `<!-- generated: ${name} -->\n${await block(name)}\n<!-- end -->`;
      after = after.replace(whole, () => filled);
    }
    if (BLOCK.test(before)) pages.push({ file, before, after });
    BLOCK.lastIndex = 0;
  }
  const unused = Object.keys(BLOCKS).filter((name) => !made.has(name));
  if (unused.length > 0) throw new Error(`no page has a block for ${unused.join(', ')}`);
  return pages;
}

if (import.meta.main) {
  const outdated = (await generatedPages()).filter(({ before, after }) => before !== after);
  for (const { file, after } of outdated) {
    if (process.argv.includes('--check')) console.error(`${file} is out of date: run npm run docs`);
    else {
      writeFileSync(join(root, file), after);
      console.log(`${file} is new`);
    }
  }
  process.exit(process.argv.includes('--check') && outdated.length > 0 ? 1 : 0);
}
