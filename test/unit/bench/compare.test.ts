import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type CompareOptions, type Comparison, compare } from '../../../bench/compare/compare.ts';
import { ratioOf } from '../../../bench/compare/ratio.ts';
import { renderComparison } from '../../../bench/compare/render-comparison.ts';
import { UsageError } from '../../../bench/harness/find-subjects.ts';

const project = fileURLToPath(new URL('../../..', import.meta.url));
const noGit = spawnSync('git', ['--version']).status === 0 ? false : 'there is no git on this machine';

test('a comparison calls a difference only what every round agrees on, and more than a trifle', () => {
  assert.equal(ratioOf([10, 10, 10], [8, 9, 7]).verdict, 'faster');
  assert.equal(ratioOf([10, 10, 10], [12, 13, 11]).verdict, 'slower');
  assert.equal(ratioOf([10, 10, 10], [8, 11, 7]).verdict, 'same');
  assert.equal(ratioOf([10, 10, 10], [9.9, 9.95, 9.9]).verdict, 'same');
});

test('a comparison takes ratios round by round, since a machine that slows down slows both sides', () => {
  const { median, least, most } = ratioOf([10, 20, 40], [5, 10, 20]);
  assert.deepEqual([median, least, most], [0.5, 0.5, 0.5]);
});

describe('two commits of a repository', { skip: noGit }, () => {
  let folder = '';
  let root = '';
  const { TMPDIR } = process.env;
  const git = (...args: string[]): string => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  const temporary = (): string[] => readdirSync(join(folder, 'temporary'));

  /** `src/sum.ts` that goes round so many times. */
  const commitSum = (rounds: number, tag: string, exported = 'sum'): void => {
    const body = `let s = 0; for (let i = 0; i < ${rounds}; i += 1) s = (s + i) % 1_000_003; return s >= 0 ? 4 : 0;`;
    writeFileSync(join(root, 'src/sum.ts'), `export function ${exported}(): number { ${body} }\n`);
    git('add', '-A');
    git('-c', 'user.name=bench', '-c', 'user.email=bench@example.com', 'commit', '-q', '-m', tag);
    git('tag', tag);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-compare-test-'));
    root = join(folder, 'repository');
    mkdirSync(join(root, 'src'), { recursive: true });
    // Ours alone, so that what is left in it was left by us.
    mkdirSync(join(folder, 'temporary'));
    process.env['TMPDIR'] = join(folder, 'temporary');
    symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'));
    writeFileSync(join(root, '.gitignore'), 'node_modules\nbench/\n');
    execFileSync('git', ['init', '-q', root]);
    commitSum(20_000, 'slow');
    commitSum(1_000, 'fast');
    commitSum(1_000, 'renamed', 'total');
    git('checkout', '-q', 'fast');
    // Not in any commit: the working tree's bench measures all of them.
    cpSync(join(project, 'bench/harness'), join(root, 'bench/harness'), { recursive: true });
    writeFileSync(
      join(root, 'bench/sum.bench.ts'),
      `import assert from 'node:assert/strict';
       import { sum } from '../src/sum.ts';
       import { subjectOf, task } from './harness/subject.ts';
       export const subject = subjectOf([task({ name: 'a sum', run: sum, check: (s) => assert.equal(s, 4) })]);`,
    );
  });

  after(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
    rmSync(folder, { recursive: true, force: true });
  });

  const compared = (a: string, b: string, more: Partial<CompareOptions> = {}): Promise<Comparison> =>
    compare({
      root,
      revisions: [a, b],
      subjects: ['sum'],
      rounds: 2,
      options: { warmUpMs: 20, timeMs: 20 },
      tell: () => undefined,
      ...more,
    });
  const assertTidy = (): void => {
    assert.equal(git('worktree', 'list').trim().split('\n').length, 1, 'no worktree is left');
    assert.deepEqual(temporary(), [], 'no folder is left');
  };

  it('two commits that differ twentyfold are told apart, and nothing is left behind', async () => {
    const comparison = await compared('slow', 'fast');
    const [task] = comparison.subjects[0]?.tasks ?? [];
    assert.ok(task);
    assert.equal(task.ratio.verdict, 'faster');
    assert.ok(task.ratio.median < 0.5, `${task.ratio.median}`);
    assert.match(
      renderComparison(comparison),
      /A: slow \([0-9a-f]{8}\)\nB: fast .*\ba sum .*0\.\d{3} \(0\.\d\d–0\.\d\d\) +faster/s,
    );
    assertTidy();
  });

  it('a comparison with "." measures the working tree as it is, and leaves it', async () => {
    const comparison = await compared('slow', '.');
    assert.equal(comparison.revisions[1], 'working tree');
    assert.equal(comparison.subjects[0]?.tasks[0]?.ratio.verdict, 'faster');
    assert.ok(existsSync(join(root, 'src/sum.ts')));
    assertTidy();
  });

  it('a comparison with a commit that cannot run the bench says on which side and why', async () => {
    const comparison = await compared('fast', 'renamed');
    assert.match(comparison.subjects[0]?.notMeasured ?? '', /^in B: SyntaxError.*sum/);
    assert.match(renderComparison(comparison), /not measured in B/);
    assertTidy();
  });

  it('a revision that does not exist is refused by the name that was typed, and the other worktree is removed', async () => {
    await assert.rejects(
      compared('slow', 'no-such-tag'),
      (error) => error instanceof UsageError && /"no-such-tag"/.test(error.message),
    );
    await assert.rejects(compared('--help', 'slow'), UsageError);
    assertTidy();
  });

  it('an abort in the middle of a comparison removes the worktrees', async () => {
    const stop = new AbortController();
    const tell = (): void => stop.abort(new Error('enough'));
    await assert.rejects(compared('slow', 'fast', { signal: stop.signal, tell }), /enough/);
    assertTidy();
  });
});
