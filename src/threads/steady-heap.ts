import { setFlagsFromString } from 'node:v8';

/** What V8 lets a young generation grow to by itself, in MiB. */
const YOUNG_MIB = 16;

/**
 * Keeps V8 from shrinking what it lets a quiet thread grow to, in this process and all its threads. When work came back
 * after some idle seconds:
 * - It was under the lowered limit of the old generation for good: each read of a stream is memory outside of V8's heap,
 *   so it marked the heap without end, 30 times a second, and a burst stream cost twice as much.
 * - It began again with a young generation of 1 MiB, collected it 150 times a second and took two seconds to let it grow:
 *   a whole answer cost a quarter more in the first second.
 *
 * Garbage is collected as before; a thread that was busy only keeps the room for it. Both are seen with load: overhead,
 * where Sluice rests while its peers are measured, and with --trace-gc.
 *
 * Must be called before threads are started: the second holds for those that are, the first for all.
 */
export function keepHeapSteady(): void {
  setFlagsFromString('--no-memory-reducer');
  setFlagsFromString(`--min-semi-space-size=${YOUNG_MIB}`);
}
