import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own in memory, which a test can fill to the last byte. */
export interface SmallDisk {
  readonly folder: string;
  /** Until nothing more fits but so many bytes. */
  fill(leaveBytes?: number): void;
  free(): void;
  unmount(): void;
}

function mount(folder: string, bytes: number): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status === 0;
}

/** Why there is none here; undefined: there can be. */
export function smallDiskSkip(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  try {
    if (!mount(folder, 65_536)) return 'this user may not mount a file system';
    spawnSync('umount', [folder]);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function smallDisk(bytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  if (!mount(folder, bytes)) throw new Error('a small disk cannot be mounted');
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill(leaveBytes = 0) {
      const file = openSync(ballast, 'a');
      try {
        for (;;) {
          const { bavail, bsize } = statfsSync(folder);
          const left = bavail * bsize - leaveBytes;
          if (left <= 0) return;
          writeSync(file, Buffer.alloc(Math.min(left, 1024 * 1024)));
        }
      } catch (error) {
        // Somebody else took what was left: it is full.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    unmount() {
      spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
