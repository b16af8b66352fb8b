import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** With it a thread gets a third of what others get of a core that both want. */
const STEPS_BACK = 5;
const LAST = 19;

/**
 * Lets other threads of the process go first where cores are few: what this one does is waited for by nobody who is served.
 * Only Linux has priorities of threads; elsewhere, and where it is not allowed, all stay equal.
 */
export function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, Math.min(LAST, getPriority(thread) + STEPS_BACK));
  } catch {
    // There is no /proc, or a sandbox forbids it: nothing depends on it.
  }
}
