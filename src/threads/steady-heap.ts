import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from shrinking what it lets a quiet thread grow to, in this process and all its threads. When work came back
 * after some idle seconds it was under the lowered limit for good: each read of a stream is memory outside of V8's heap,
 * so it marked the heap without end, 30 times a second, and a burst stream cost twice as much (load: overhead, where
 * Sluice rests while Portkey is measured: 155 and 168 µs instead of 78 and 90). Garbage is collected as before; a process
 * that was busy only keeps the room for it.
 *
 * Must be called before threads are started. V8 looks at this flag each time, not only at its own start.
 */
export function keepHeapSteady(): void {
  setFlagsFromString('--no-memory-reducer');
}
