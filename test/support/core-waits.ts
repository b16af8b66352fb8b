import { readdirSync, readFileSync } from 'node:fs';

interface Reading {
  readonly at: number;
  /** Nanoseconds in which the thread ran, and in which it could have run but had no core. */
  readonly ranNs: number;
  readonly waitedNs: number;
  /** It runs or could. */
  readonly runnable: boolean;
}

const EVERY_MS = 4;
const KEPT = 30;

/**
 * How long the threads of another process had to wait for a core lately, as the kernel counts it: what a promise about
 * milliseconds has to be measured against on a machine that has more to do than cores. Zero where there is no such count.
 */
export class CoreWaits {
  readonly #pid: number;
  readonly #threads = new Map<string, Reading[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#read(), EVERY_MS);
  }

  /** No more readings after this one. */
  stop(): void {
    clearInterval(this.#timer);
    this.#read();
  }

  /** From `since` (performance.now()) to the stop, of the thread that waited longest; a wait that still lasted is part of it. */
  sinceMs(since: number): number {
    return Math.max(0, ...[...this.#threads.values()].map((readings) => waitMs(readings, since)));
  }

  #read(): void {
    try {
      for (const thread of readdirSync(`/proc/${this.#pid}/task`)) {
        const folder = `/proc/${this.#pid}/task/${thread}`;
        const [ranNs = 0, waitedNs = 0] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ').map(Number);
        const runnable = / R /.test(readFileSync(`${folder}/stat`, 'utf8').replace(/^.*\)/, ''));
        const readings = this.#threads.get(thread) ?? [];
        readings.push({ at: performance.now(), ranNs, waitedNs, runnable });
        this.#threads.set(thread, readings.slice(-KEPT));
      }
    } catch {
      // No such system, or a thread that has just ended (ENOENT, ESRCH): nothing is known, so nothing is granted.
    }
  }
}

function waitMs(readings: readonly Reading[], sinceMs: number): number {
  const last = readings.at(-1);
  const first = readings.findLast((reading) => reading.at <= sinceMs) ?? readings[0];
  if (first === undefined || last === undefined) return 0;
  // The count grows only when a wait is over; of one that lasts: since when it could run and did not.
  let since = last.at;
  if (last.runnable) {
    for (const reading of readings.toReversed()) {
      if (!reading.runnable || reading.ranNs !== last.ranNs) break;
      since = reading.at;
    }
  }
  return (last.waitedNs - first.waitedNs) / 1e6 + (last.at - Math.max(since, first.at));
}
