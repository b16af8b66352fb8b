/**
 * `npm test`: the whole suite, or the files that are named, in two groups one after the other. The files of most tests spend
 * half of their time on waits, so more of them run at once than there are cores. Files that hold a law of time, or of memory
 * under load, have more of the machine for themselves.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
const named = process.argv.slice(2);
const all = (): string[] =>
  readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`);
const files = named.length > 0 ? named : all();
const isQuiet = (file: string): boolean => QUIET.some((path) => file.startsWith(path));

const results = [
  runTests(
    files.filter((file) => !isQuiet(file)),
    Math.ceil(2.5 * cores),
  ),
  runTests(files.filter(isQuiet), cores + 1),
];
process.exit(results.every((isGood) => isGood) ? 0 : 1);

function runTests(group: readonly string[], atOnce: number): boolean {
  if (group.length === 0) return true;
  const flags = ['--test', `--test-concurrency=${atOnce}`, `--test-timeout=${FILE_TIMEOUT_MS}`];
  const words = ['--import', './test/support/stripped-types.js', ...flags, ...group];
  return spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' }).status === 0;
}
