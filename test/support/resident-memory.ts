import { readFile } from 'node:fs/promises';

/** A reason to skip, or false. */
export const noProc = process.platform === 'linux' ? false : 'resident memory of another process is read from /proc';

/** MiB of a process that are in memory now, or were at most since it began. */
export async function residentMib({ pid }: { readonly pid: number }, when: 'now' | 'ever' = 'now'): Promise<number> {
  const name = when === 'now' ? 'VmRSS' : 'VmHWM';
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
}
