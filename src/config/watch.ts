import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface WatchOptions {
  /** Files and folders. Of a folder only the names in it count, so its files must be given as well. */
  paths: readonly string[];
  onChange(): void;
  /** How long it must be quiet before a change is told: an editor writes, renames and deletes in several steps. */
  debounceMs?: number;
  /** How often the disk is looked at without being told: for network disks and targets of symbolic links. */
  recheckMs?: number;
}

export interface ConfigurationWatch {
  /**
   * Watches these paths from now on. The state of a path that was watched already stays the one last told. A new one that changed
   * since `readAtMs` (Date.now() when its reading began) is told at once: what was read of it may be its older content.
   */
  update(paths: readonly string[], readAtMs?: number): void;
  close(): void;
}

/**
 * Tells when configuration files change. Folders are watched rather than files: an editor replaces a file by renaming
 * another over it, and Kubernetes swaps a symbolic link (`..data`) beside it; a watch on the file itself would stay with
 * the old one. What decides is a stamp of what each path leads to; events only say when to look. At most one timer of
 * each sort and one watch per folder; nothing keeps the process alive. Start it before the first load, so that no change
 * falls between the two.
 */
export function watchConfiguration(options: WatchOptions): ConfigurationWatch {
  const { onChange, debounceMs = 200, recheckMs = 2000 } = options;
  // Without an end to the waiting, a file that is touched all the time would never be read.
  const longestWaitMs = debounceMs * 10;
  let stamps = new Map(options.paths.map((path) => [path, stamp(path)]));
  let watchers = watchFolders(stamps.keys(), lookSoon);
  let pending: NodeJS.Timeout | undefined;
  let firstEventAt = 0;
  const recheck = setInterval(() => {
    if (pending === undefined && changed()) lookSoon();
  }, recheckMs).unref();

  function changed(): boolean {
    return [...stamps].some(([path, known]) => stamp(path) !== known);
  }

  function lookSoon(): void {
    const now = performance.now();
    if (pending === undefined) firstEventAt = now;
    clearTimeout(pending);
    const waitMs = Math.max(0, Math.min(debounceMs, firstEventAt + longestWaitMs - now));
    pending = setTimeout(look, waitMs).unref();
  }

  function look(): void {
    pending = undefined;
    if (!changed()) return;
    stamps = new Map([...stamps.keys()].map((path) => [path, stamp(path)]));
    // A folder that was replaced takes its watch with it.
    rearm();
    onChange();
  }

  function rearm(): void {
    for (const watcher of watchers) watcher.close();
    watchers = watchFolders(stamps.keys(), lookSoon);
  }

  return {
    update(paths, readAtMs = Number.POSITIVE_INFINITY) {
      const same = paths.length === stamps.size && paths.every((path) => stamps.has(path));
      if (same) return;
      const newPaths = paths.filter((path) => !stamps.has(path));
      const late = new Set(newPaths.filter((path) => changedSince(path, readAtMs - CLOCK_STEP_MS)));
      stamps = new Map(paths.map((path) => [path, late.has(path) ? '' : (stamps.get(path) ?? stamp(path))]));
      rearm();
      if (late.size > 0) lookSoon();
    },
    close() {
      clearInterval(recheck);
      clearTimeout(pending);
      for (const watcher of watchers) watcher.close();
      watchers = [];
    },
  };
}

function watchFolders(paths: Iterable<string>, onEvent: () => void): FSWatcher[] {
  const folders = new Set([...paths].flatMap((path) => [dirname(resolve(path)), ...folderOf(path)]));
  const watchers: FSWatcher[] = [];
  for (const folder of folders) {
    try {
      const watcher = watch(folder, { persistent: false }, onEvent);
      // The folder went away, or the system has no watches left: the recheck goes on.
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // ENOENT, ENOSPC, EMFILE: as above, the recheck goes on.
    }
  }
  return watchers;
}

function folderOf(path: string): string[] {
  try {
    return statSync(path).isDirectory() ? [realpathSync(path)] : [];
  } catch {
    // ENOENT, EACCES: the folder above is watched, and the recheck goes on.
    return [];
  }
}

/** The clock of a file system may be so much behind that of the process. */
const CLOCK_STEP_MS = 10;

function changedSince(path: string, timeMs: number): boolean {
  try {
    return statSync(path).ctimeMs >= timeMs;
  } catch {
    // ENOENT, EACCES: its stamp says so from now on.
    return false;
  }
}

/** Changes when a path leads to another file, or the file to other content; of a folder, the names in it. */
function stamp(path: string): string {
  try {
    const stat = statSync(path, { bigint: true });
    const own = `${realpathSync(path)} ${stat.dev}:${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
    if (!stat.isDirectory()) return own;
    return `${realpathSync(path)} ${readdirSync(path).sort().join('\0')}`;
  } catch (error) {
    return `${path} ${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'}`;
  }
}
