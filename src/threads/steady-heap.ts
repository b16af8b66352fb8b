import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

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
 * - Where much of what a line of code makes is still in use at some collections, as while a thread warms up, V8 makes it in
 *   the old generation from then on, and whatever it points to survives. A third of all that calls of tools made did so.
 *
 * A thread that was busy keeps the room for it, and up to OLD_MIB of garbage, until it rests. What NODE_OPTIONS or the command line say of
 * a flag stands. Must be called before threads are started: the first holds for all, the others for those that come after.
 */
export function keepHeapSteady(): void {
  const given = [process.env.NODE_OPTIONS, ...process.execArgv].join(' ').replaceAll('_', '-');
  for (const flag of [
    '--no-memory-reducer',
    `--initial-old-space-size=${OLD_MIB}`,
    `--min-semi-space-size=${YOUNG_MIB}`,
    '--no-allocation-site-pretenuring',
    // So that the threads have `gc`. To make a context for it later would fail in a thread that is being ended.
    '--expose-gc',
  ]) {
    const name = flag.replace(/^--(no-)?/, '').replace(/=.*/, '');
    if (!given.includes(name)) setFlagsFromString(flag);
  }
}

/** Two looks in a row must find the same, so that nobody who is being served waits for the collection. */
const LOOK_MS = 500;
/** So much more than behind the last collection must be there, in bytes: what a storm leaves behind. */
const WORTH_BYTES = 64 * 1024 * 1024;
/** Where nothing came for so many looks, a quarter of a minute, less is worth it: a gateway that rests is small again. */
const REST_LOOKS = 30;
const REST_WORTH_BYTES = 8 * 1024 * 1024;
/** While answers are open it must be more. What a thread is let grow to anyway is no reason. */
const WORTH_A_PAUSE_BYTES = OLD_MIB * 1024 * 1024;
/** A thread that is busy for a smaller share of its time has nobody whom a pause delays for long. */
const CALM_SHARE = 0.05;
/** After so many looks a collection in steps is over. */
const SETTLING_LOOKS = 4;
/** More than V8 lets come outside of its heap before it collects (64 MiB). Nobody writes into it, so that it is no memory. */
const PRESSURE_BYTES = 80 * 1024 * 1024;

/**
 * Gives back what a thread no longer needs, which V8 with these flags would keep for good: 20 MB of each thread's start, a
 * hundred of what a storm of streams that were left leaves behind. It is done as soon as nobody is served; or, where a few
 * answers are always open, as soon as little is to do. What the thread may grow to without a collection stays as it is;
 * only its pages are given back. `mark`: undefined while an exchange is open, else a number that differs whenever one was
 * served in between.
 */
export function collectWhenIdle(mark: () => number | undefined): void {
  const untouched = mark();
  let before: number | undefined;
  let busy = performance.eventLoopUtilization();
  let wasCalm = false;
  let leftBytes = 0;
  /** What the smallest collection so far left: bytes that others let go later have not been collected. */
  let leastBytes = Number.POSITIVE_INFINITY;
  let idleLooks = 0;
  let restedAt: number | undefined;
  let settling = 0;
  const collected = (): void => {
    leftBytes = heldBytes();
    leastBytes = Math.min(leastBytes, leftBytes);
  };
  setInterval(() => {
    const now = mark();
    const isIdle = now !== undefined && now === before;
    before = now;
    idleLooks = isIdle ? idleLooks + 1 : 0;
    const busyNow = performance.eventLoopUtilization();
    const isCalm = performance.eventLoopUtilization(busyNow, busy).utilization < CALM_SHARE;
    busy = busyNow;
    // What loading left behind is worth it in any thread: there are several.
    const idleWorthBytes = leftBytes === 0 ? 0 : WORTH_BYTES;
    const worthBytes = isIdle ? idleWorthBytes : isCalm && wasCalm ? WORTH_A_PAUSE_BYTES : Number.POSITIVE_INFINITY;
    wasCalm = isCalm;
    if (settling > 0) {
      settling -= 1;
      if (settling === 0) collected();
      return;
    }
    const held = heldBytes();
    // Once a rest. What others let go since the last collection, large bodies say, counts as well.
    const rests = idleLooks >= REST_LOOKS && now !== restedAt && held - leastBytes >= REST_WORTH_BYTES;
    if (!rests && held - leftBytes < worthBytes) return;
    if (rests) restedAt = now;
    if (isIdle && leftBytes === 0 && now === untouched) {
      collectAtOnce();
      collected();
    } else {
      collectInSteps();
      settling = SETTLING_LOOKS;
    }
  }, LOOK_MS).unref();
}

/** What the heap of this thread has of the system's memory, garbage included, and what it holds outside of it. */
function heldBytes(): number {
  const { total_physical_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

/**
 * Has V8 collect as it does under load, beside other work: memory outside of its heap that comes at once is a reason for it.
 * A collection by `gc` begins with nobody on the stack. It does not keep the shapes of objects of which none is alive, and
 * every function that was compiled for them goes too: the four thousand answers behind a rest cost four times as much.
 */
function collectInSteps(): void {
  try {
    // It is freed at once: V8 collects as it is made, and would charge the thread for it until the collection after that one.
    Buffer.allocUnsafeSlow(PRESSURE_BYTES).buffer.transfer(0);
  } catch {
    // The process may not have so many addresses: its garbage waits until V8 wants the room.
  }
}

let collect: unknown = globalThis.gc;

/**
 * A thread that has just loaded calls this. It stops the thread for 30 to 60 ms, shrinks the young generation, and
 * forgets compiled code, which one that has served pays for with all that it serves next.
 */
function collectAtOnce(): void {
  // The main thread was there before the flag.
  if (isMainThread) collect ??= runInNewContext('globalThis.gc');
  // Without it the memory stays; nothing else depends on it.
  if (typeof collect !== 'function') return;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
