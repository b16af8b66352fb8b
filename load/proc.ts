/** CPU time and memory of a process and its descendants, read from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks per second of utime and stime: 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

export type ProcessSample = {
  /** utime + stime of all threads of the whole tree, µs, in steps of 10 ms. */
  cpuUs: number;
  /** Resident bytes of the whole tree. */
  rssBytes: number;
};

export const procIsReadable: boolean = (() => {
  try {
    return statOf(process.pid) !== undefined;
  } catch {
    return false;
  }
})();

export function sample(pid: number): ProcessSample {
  const result = { cpuUs: 0, rssBytes: 0 };
  for (const member of treeOf(pid)) {
    const stat = statOf(member);
    if (!stat) continue;
    result.cpuUs += (stat.utime + stat.stime) * TICK_US;
    result.rssBytes += rssOf(member);
  }
  return result;
}

/** CPU time that all processes of the machine took since it started, µs. */
export function machineCpuUs(): number {
  const [user, nice, system, , , irq, softirq] = (read('/proc/stat') ?? '').split(/\s+/, 8).slice(1).map(Number);
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) * TICK_US;
}

/** The highest resident size of the tree since the call, looked at every `everyMs`. */
export function watchRss(pid: number, everyMs: number): { stop(): number } {
  let peak = sample(pid).rssBytes;
  const timer = setInterval(() => {
    peak = Math.max(peak, sample(pid).rssBytes);
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(peak, sample(pid).rssBytes);
    },
  };
}

/** CPU time and run-queue wait of each thread of a process, by thread id, in µs. The kernel's `schedstat` tells both. */
export function threadTimes(pid: number): Map<number, { ranUs: number; waitedUs: number }> {
  const times = new Map<number, { ranUs: number; waitedUs: number }>();
  for (const entry of readdirSync(`/proc/${pid}/task`)) {
    const [ran, waited] = (read(`/proc/${pid}/task/${entry}/schedstat`) ?? '').split(' ').map(Number);
    if (ran !== undefined && waited !== undefined) {
      times.set(Number(entry), { ranUs: ran / 1000, waitedUs: waited / 1000 });
    }
  }
  return times;
}

type ThreadTimes = ReturnType<typeof threadTimes>;

/** What the thread that ran the most between two looks did meanwhile; undefined where the kernel tells nothing. */
export function busiestThread(
  before: ThreadTimes,
  after: ThreadTimes,
): { ranUs: number; waitedUs: number } | undefined {
  let busiest: { ranUs: number; waitedUs: number } | undefined;
  for (const [id, { ranUs, waitedUs }] of after) {
    const start = before.get(id) ?? { ranUs: 0, waitedUs: 0 };
    const meanwhile = { ranUs: ranUs - start.ranUs, waitedUs: waitedUs - start.waitedUs };
    if (busiest === undefined || meanwhile.ranUs > busiest.ranUs) busiest = meanwhile;
  }
  return busiest;
}

function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (!stat) continue;
    const siblings = children.get(stat.parent);
    if (siblings) siblings.push(pid);
    else children.set(stat.parent, [pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function statOf(pid: number): { parent: number; utime: number; stime: number } | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name stands in parentheses and may hold spaces: fields are counted from the last ')'.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), utime: Number(fields[11]), stime: Number(fields[12]) };
}

function rssOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** undefined: the process ended between two looks. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
