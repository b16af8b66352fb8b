import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel counts of one thread (Linux). Where there is no such count, all of it is 0. */
export interface ThreadTimes {
  /** It ran for so long, without what it waited for other programs of the machine. */
  readonly ranMs: number;
  /** It could have run for so long, and had no core. */
  readonly waitedMs: number;
}

export function threadTimes(pid: number, thread: string | number): ThreadTimes {
  try {
    const [ranNs = 0, waitedNs = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
      .split(' ')
      .map(Number);
    return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 };
  } catch {
    // No such system, or a thread that has ended (ENOENT, ESRCH).
    return { ranMs: 0, waitedMs: 0 };
  }
}

/** The thread of a process, beside its main one, that runs the longest in ten turns of `work`: of a gateway, a relay thread. */
export async function busiestThread(
  pid: number,
  work: () => Promise<unknown>,
): Promise<{ thread: string; ranMs: number }> {
  const threads = readdirSync(`/proc/${pid}/task`).filter((thread) => thread !== String(pid));
  const before = new Map(threads.map((thread) => [thread, threadTimes(pid, thread).ranMs]));
  for (let turn = 0; turn < 10; turn += 1) await work();
  const [busiest] = threads
    .map((thread) => ({ thread, ranMs: threadTimes(pid, thread).ranMs - (before.get(thread) ?? 0) }))
    .sort((one, other) => other.ranMs - one.ranMs);
  if (busiest === undefined) throw new Error('the process has one thread only');
  return busiest;
}
