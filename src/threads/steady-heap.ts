import { setFlagsFromString } from 'node:v8';

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
