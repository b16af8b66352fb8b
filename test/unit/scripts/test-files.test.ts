import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runTestFiles } from '../../../scripts/test-files.ts';
import { runTestSuite } from '../../../scripts/test-suite.ts';

const PASSES = `test('one test runs', () => {});`;
const HANGS = `setInterval(() => {}, 1000);`;
/** A test file for each way in which one fails. */
const FAILING = {
  'a test fails': `${PASSES} test('another test runs', () => { throw new Error('wrong'); });`,
  'a hook before its tests fails': `before(() => { throw new Error('wrong'); }); ${PASSES}`,
  'a hook behind its tests fails': `after(() => { throw new Error('wrong'); }); ${PASSES}`,
  'a hook of a suite fails': `describe('some', () => { after(() => { throw new Error('wrong'); }); ${PASSES} });`,
  'its text is no program': `test('one test runs', () => {`,
  'it throws when its tests are over': `test('one test runs', () => { setTimeout(() => { throw new Error('late'); }, 50); });`,
  'its process is killed': `${PASSES} test('another test runs', () => { process.kill(process.pid, 'SIGKILL'); ${HANGS} });`,
  'its process exits with 0 before its end': `${PASSES} test('another test runs', () => process.exit(0));`,
  'its process sets its exit code': `${PASSES} process.exitCode = 1;`,
  'it has no test': '',
};
/** Those whose process has to be ended. */
const ENDLESS = {
  'a test never ends': `${PASSES} test('another test runs', () => new Promise(() => { ${HANGS} }));`,
  'something keeps its process': `test('one test runs', () => { ${HANGS} });`,
  'its event loop is blocked, and hears no signal': `process.on('SIGTERM', () => {}); ${PASSES} test('another test runs', () => { for (;;); });`,
};
const GOOD = {
  'all of its tests pass': PASSES,
  'a test of it is skipped': `test('one test runs', { skip: 'no such machine' }, () => {});`,
};

/** Each is named after what is said of it. */
const namesOf = (files: Record<string, string>): string[] =>
  Object.keys(files).map((name) => `${name.replaceAll(/\W+/g, '-')}.test.mjs`);

/** A folder of test files. */
function folderOf(t: TestContext, files: Record<string, string>): { root: string; files: string[] } {
  const root = mkdtempSync(join(tmpdir(), 'sluice-test-files-'));
  t.after(() => rmSync(root, { recursive: true }));
  const names = namesOf(files);
  for (const [index, text] of Object.values(files).entries()) {
    const imports = `import { after, before, describe, test } from 'node:test';\n`;
    writeFileSync(join(root, names[index]!), imports + text);
  }
  return { root, files: names };
}

const quickly = { atOnce: 4, timeoutMs: 60_000, output: 'ignore' } as const;

test('a test file passes only if its process came to its end and no test, hook or exit of it failed', async (t) => {
  const { root, files } = folderOf(t, { ...FAILING, ...GOOD });
  const { failed, took } = await runTestFiles({ ...quickly, root, files });
  assert.deepEqual(failed, namesOf(FAILING));
  for (const file of namesOf(GOOD)) assert.ok(took.has(file), file);
});

test('a test file that never ends is ended and has failed, and so is one that hears no signal', async (t) => {
  const { root, files } = folderOf(t, { ...GOOD, ...ENDLESS });
  const { failed } = await runTestFiles({ ...quickly, root, files, timeoutMs: 3_000, graceMs: 3_000 });
  for (const file of namesOf(ENDLESS)) assert.ok(failed.includes(file), file);
});

test('a file that is not there has failed', async (t) => {
  const { root, files } = folderOf(t, GOOD);
  const { failed } = await runTestFiles({ ...quickly, root, files: [...files, 'nowhere.test.mjs'] });
  assert.ok(failed.includes('nowhere.test.mjs'), String(failed));
});

test('files that failed are run once more, each alone, and the end says which failed in which run', async (t) => {
  const { root, files } = folderOf(t, {
    good: PASSES,
    // Its first run leaves a mark, by which the second passes.
    busy: `import { existsSync, writeFileSync } from 'node:fs';
      test('one test runs', () => {
        const isAgain = existsSync('mark');
        writeFileSync('mark', '');
        if (!isAgain) process.kill(process.pid, 'SIGKILL');
      });`,
    wrong: `import { appendFileSync } from 'node:fs';
      test('one test runs', () => { appendFileSync('runs', '.'); throw new Error('wrong'); });`,
  });
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const groups = [{ ...quickly, root, files }];
  assert.deepEqual(await runTestSuite({ groups, retry: true, say }), ['wrong.test.mjs']);
  assert.deepEqual(said, [
    'once more, alone: busy.test.mjs',
    'once more, alone: wrong.test.mjs',
    'failed in the first run, passed alone: busy.test.mjs',
    'failed in both runs: wrong.test.mjs',
  ]);
  assert.ok(existsSync(join(root, 'mark')));
  assert.equal(readFileSync(join(root, 'runs'), 'utf8'), '..');
});

test('nothing is run once more where more files failed than a busy machine explains', async (t) => {
  const wrong = `import { appendFileSync } from 'node:fs';
    test('one test runs', () => { appendFileSync('runs', '.'); throw new Error('wrong'); });`;
  const { root, files } = folderOf(t, { one: wrong, two: wrong, three: wrong });
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const groups = [{ ...quickly, root, files }];
  assert.deepEqual(await runTestSuite({ groups, retry: true, maxRetried: 2, say }), files);
  assert.equal(readFileSync(join(root, 'runs'), 'utf8'), '...');
  assert.equal(said.at(-1), '3 files failed; up to 2 are run once more');
});
