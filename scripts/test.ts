/**
 * `npm test`: the whole suite, or the files and folders that are named, in two groups one after the other. The files of most
 * tests spend half of their time on waits, so more of them run at once than there are cores. Files that hold a law of time,
 * or of memory under load, have more of the machine for themselves.
 *
 * `npm test -- --retry` runs files that failed once more, each alone: laws of time are as true as the machine is quiet. `SLUICE_CI`
 * asks for the same.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runTestSuite } from './test-suite.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILE_TIMEOUT_MS = 180_000;
/** What these measure is as true as the machine is quiet. */
const QUIET = [
  'test/fault/',
  'test/regression/',
  'test/integration/admin.test.ts',
  'test/integration/compressed-bodies.test.ts',
  'test/integration/console.test.ts',
  'test/integration/console-cost.test.ts',
];

const cores = availableParallelism();
const { values, positionals } = parseArgs({ allowPositionals: true, options: { retry: { type: 'boolean' } } });
const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`);
const files = positionals.length > 0 ? [...new Set(positionals.flatMap(filesOf))] : all;
const isQuiet = (file: string): boolean => QUIET.some((path) => file.startsWith(path));
const group = (of: readonly string[], atOnce: number) => ({ root, files: of, atOnce, timeoutMs: FILE_TIMEOUT_MS });

const failed = await runTestSuite({
  groups: [
    group(
      files.filter((file) => !isQuiet(file)),
      Math.ceil(2.5 * cores),
    ),
    group(files.filter(isQuiet), cores + 1),
  ],
  retry: values.retry === true || process.env['SLUICE_CI'] !== undefined,
});
process.exit(failed.length === 0 ? 0 : 1);

/** A file, or all files of a folder. */
function filesOf(named: string): string[] {
  const path = relative(root, resolve(named));
  const found = all.filter((file) => file === path || file.startsWith(`${path}/`));
  if (found.length > 0) return found;
  console.error(`No test file is ${named}. Name a file or a folder below test/, for example test/unit/docs.`);
  process.exit(2);
}
