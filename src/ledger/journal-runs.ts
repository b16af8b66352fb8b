import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileLock, lockFile } from '../store/file-lock.ts';

/*
 * data_dir/journal/<run>/ holds the segments of one run of a gateway, and a lock file that its process holds while it lives.
 * So a gateway knows which segments are left over from a crash, and leaves alone those of another one that still drains on
 * the same data folder.
 */
const LOCK = 'lock';
const SEGMENT = /^(\d+)-([a-z0-9]+)-(\d+)\.journal$/;

export interface JournalRun {
  readonly folder: string;
  /** Lets go, and takes the folder away where no segment is left in it. */
  release(): Promise<void>;
}

export interface LeftoverRun extends JournalRun {
  /** In the order in which they were written, thread by thread. */
  readonly segments: readonly LeftoverSegment[];
}

export interface LeftoverSegment {
  readonly name: string;
  readonly bytes: number;
}

/** The folder of a new run. */
export async function beginRun(journalFolder: string): Promise<JournalRun> {
  const folder = join(journalFolder, `${Date.now().toString(36)}${randomBytes(4).toString('hex')}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = lockFile(join(folder, LOCK));
  if (lock === undefined) throw new Error(`somebody else holds ${folder}, which was made just now`);
  return { folder, release: () => release(folder, lock) };
}

/** What earlier runs left behind; those whose process lives are not among them. They are ours until they are released. */
export async function adoptRuns(journalFolder: string, own: string): Promise<LeftoverRun[]> {
  const runs: LeftoverRun[] = [];
  const entries = await readdir(journalFolder, { withFileTypes: true });
  for (const name of entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()) {
    const folder = join(journalFolder, name);
    if (folder === own) continue;
    try {
      const lock = lockFile(join(folder, LOCK));
      if (lock === undefined) continue;
      runs.push({ folder, segments: await segmentsIn(folder), release: () => release(folder, lock) });
    } catch (error) {
      // Its process was just taking it away.
      if (existsSync(folder)) throw error;
    }
  }
  return runs;
}

async function segmentsIn(folder: string): Promise<LeftoverSegment[]> {
  const found = (await readdir(folder)).flatMap((name) => {
    const [, thread, stem, count] = name.match(SEGMENT) ?? [];
    return thread === undefined || stem === undefined
      ? []
      : [{ name, order: [thread.padStart(4, '0'), stem, (count ?? '').padStart(12, '0')].join() }];
  });
  found.sort((a, b) => (a.order < b.order ? -1 : 1));
  const segments: LeftoverSegment[] = [];
  for (const { name } of found) segments.push({ name, bytes: (await stat(join(folder, name))).size });
  return segments;
}

async function release(folder: string, lock: FileLock): Promise<void> {
  const left = await segmentsIn(folder);
  // The lock last: another process may take the folder from then on.
  if (left.length === 0) await rm(folder, { recursive: true, force: true });
  lock.release();
}
