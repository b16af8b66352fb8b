import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../harness/find-subjects.ts';

const run = promisify(execFile);
export const WORKING_TREE = '.';

/** A tree whose `src/` is that of one revision and whose `bench/` is that of the working tree. */
export interface RevisionTree {
  readonly revision: string;
  readonly root: string;
  close(): Promise<void>;
}

/**
 * Both sides are measured by the same bench files, the working tree's: with each its own, a change of an input would
 * look like a change of speed, and a commit older than a bench could not be measured at all. The worktree is taken away
 * again by `close`, also after a failure in the middle of making it.
 */
export async function openRevision(repository: string, revision: string): Promise<RevisionTree> {
  if (revision === WORKING_TREE) {
    return { revision: 'working tree', root: repository, close: async () => undefined };
  }
  const commit = await commitOf(repository, revision);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const root = join(folder, 'tree');
  let added = false;
  const close = async (): Promise<void> => {
    // Git first: it would go on listing a worktree whose folder is gone.
    if (added) await run('git', ['-C', repository, 'worktree', 'remove', '--force', root]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await run('git', ['-C', repository, 'worktree', 'add', '--detach', root, commit]);
    added = true;
    await rm(join(root, 'bench'), { recursive: true, force: true });
    await cp(join(repository, 'bench'), join(root, 'bench'), {
      recursive: true,
      filter: (source) => basename(source) !== 'results',
    });
    await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
  } catch (error) {
    await close();
    throw error;
  }
  return { revision: `${revision} (${commit.slice(0, 8)})`, root, close };
}

async function commitOf(repository: string, revision: string): Promise<string> {
  try {
    const { stdout } = await run('git', [
      '-C',
      repository,
      'rev-parse',
      '--verify',
      '--end-of-options',
      `${revision}^{commit}`,
    ]);
    return stdout.trim();
  } catch {
    // Git's own words name an internal form of the revision; this names what was typed.
    throw new UsageError(`"${revision}" is not a commit of this repository`);
  }
}
