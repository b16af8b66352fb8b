import { runTestFiles, type TestFiles } from './test-files.ts';

/** With more failed files than these it is not the machine that was busy. */
const MAX_RETRIED = 40;
const MAX_SLOWEST = 10;

export interface TestSuite {
  /** One after the other. */
  readonly groups: readonly TestFiles[];
  /** Runs each file that failed once more, alone: only what fails then has failed. */
  readonly retry?: boolean;
  readonly maxRetried?: number;
  readonly say?: (line: string) => void;
}

/** Runs all groups; says which files took longest, and at the end which failed in which run. Gives those that have failed. */
export async function runTestSuite(suite: TestSuite): Promise<string[]> {
  const { groups, retry = false, maxRetried = MAX_RETRIED, say = console.log } = suite;
  const failed: { readonly file: string; readonly group: TestFiles }[] = [];
  const took: [file: string, ms: number][] = [];
  for (const group of groups) {
    const result = await runTestFiles(group);
    failed.push(...result.failed.map((file) => ({ file, group })));
    took.push(...result.took);
  }
  const slowest = took.sort(([, one], [, other]) => other - one).slice(0, MAX_SLOWEST);
  if (took.length > MAX_SLOWEST) for (const [file, ms] of slowest) say(`${(ms / 1000).toFixed(1)} s: ${file}`);
  const names = failed.map(({ file }) => file);
  if (!retry || failed.length === 0 || failed.length > maxRetried) {
    for (const file of names) say(`failed: ${file}`);
    if (retry && failed.length > 0) say(`${failed.length} files failed; up to ${maxRetried} are run once more`);
    return names;
  }
  const failedAgain: string[] = [];
  for (const { file, group } of failed) {
    say(`once more, alone: ${file}`);
    failedAgain.push(...(await runTestFiles({ ...group, files: [file], atOnce: 1 })).failed);
  }
  for (const file of names) {
    say(failedAgain.includes(file) ? `failed in both runs: ${file}` : `failed in the first run, passed alone: ${file}`);
  }
  return failedAgain;
}
