import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What V8 lets a young generation grow to by itself, in MiB. */
const YOUNG_MIB = 16;
/** Below it an old generation is not collected, in MiB; what lies outside of V8's heap counts. */
const OLD_MIB = 128;

/**
 * Keeps V8 from collecting without end what is small, and from shrinking what it lets a quiet thread grow to. Each was
 * seen with load: overhead and --trace-gc:
 * - Its memory reducer lowers the limit of a quiet thread's old generation for good, so that it is marked 30 times a
 *   second when work comes back.
 * - That limit lies only some 25 MiB above a heap of 27. What a provider sends is memory outside of V8's heap until the
 *   young generation is collected, and bursts bring more than that in the meantime: they came to 65 µs a stream or to
 *   107, by chance.
 * - After a rest the young generation begins again with 1 MiB: it was collected 150 times a second and took two seconds to
 *   grow, in which a whole answer cost a quarter more.
 *
 * A thread that was busy keeps the room for it, and up to OLD_MIB of garbage. What NODE_OPTIONS or the command line say of
 * a flag stands. Must be called before threads are started: the first holds for all, the others for those that come after.
 */
export function keepHeapSteady(): void {
  const given = [process.env.NODE_OPTIONS, ...process.execArgv].join(' ').replaceAll('_', '-');
  for (const flag of [
    '--no-memory-reducer',
    `--initial-old-space-size=${OLD_MIB}`,
    `--min-semi-space-size=${YOUNG_MIB}`,
  ]) {
    const name = flag.replace(/^--(no-)?/, '').replace(/=.*/, '');
    if (!given.includes(name)) setFlagsFromString(flag);
  }
}

/** Two looks in a row must find the same, so that nobody who is being served waits for the collection. */
const LOOK_MS = 500;

/**
 * Gives back what loading left behind, once, as soon as nobody is served: 20 MB in each thread, which V8 with these flags
 * would keep for good. It takes 30 to 60 ms of the calling thread. What the thread may grow to without a collection stays
 * as it is; only its pages are given back. `mark`: undefined while an exchange is open, else a number that differs
 * whenever one was served in between.
 */
export function collectWhenIdle(mark: () => number | undefined): void {
  let before: number | undefined;
  const timer = setInterval(() => {
    const now = mark();
    if (now === undefined || now !== before) {
      before = now;
      return;
    }
    clearInterval(timer);
    collectAll();
  }, LOOK_MS).unref();
}

function collectAll(): void {
  // Never unset: V8's flags are the process's, and another thread may be between setting it and asking for `gc`.
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('globalThis.gc');
  // Without it the memory stays; nothing else depends on it.
  if (typeof collect !== 'function') return;
  // The one flavor that shrinks the young generation, too.
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
