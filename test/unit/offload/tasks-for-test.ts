import type { Task } from '../../../src/offload/tasks.ts';

export const echoTask: Task<Uint8Array, Uint8Array> = { name: 'echo' };
export const throwTask: Task<string, never> = { name: 'throw' };
/** Ends its thread. */
export const endTask: Task<undefined, undefined> = { name: 'end' };
/** Keeps its thread busy for so many milliseconds. */
export const blockTask: Task<number, number> = { name: 'block' };
/** Loads code for 300 ms; the number becomes 1 when it begins, and 2 when it was loaded. */
export const loadTask: Task<SharedArrayBuffer, number> = { name: 'load' };
