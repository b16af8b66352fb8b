import { loadThrough } from '../core/code-loader.ts';
import { LoadGate } from '../core/load-gate.ts';

/**
 * A piece of work that is too heavy for an event loop. The name crosses the threads; what goes in and comes out is known
 * on both sides through the same constant.
 */
export interface Task<Input, Output> {
  readonly name: string;
  /** Never set: it only carries the types. */
  readonly types?: (input: Input) => Output;
}

export interface TaskMessage {
  readonly name: string;
  readonly input: unknown;
  /** The memory of the LoadGate by which whoever gave it stops its thread. */
  readonly gate: SharedArrayBuffer;
}

const WAKING = '';

/** Nothing is done for it: a task that makes the pool look for a thread. */
export function wakingTask(): TaskMessage {
  return { name: WAKING, input: undefined, gate: new LoadGate().buffer };
}

export type TaskImplementation = readonly [name: string, run: (input: unknown) => unknown];

/** Joins a task to the function that does it, in the worker. */
export function implement<Input, Output>(
  task: Task<Input, Output>,
  run: (input: Input) => Output | Promise<Output>,
): TaskImplementation {
  // What arrives under this name was given to WorkerPool.run with this task: the pool is its only sender.
  return [task.name, (input) => run(input as Input)];
}

/** What the worker exports: finds the function by the task's name. */
export function taskRunner(implementations: readonly TaskImplementation[]): (message: TaskMessage) => unknown {
  const byName = new Map(implementations);
  return ({ name, input, gate }) => {
    if (name === WAKING) return undefined;
    loadThrough(new LoadGate(gate));
    const run = byName.get(name);
    if (run === undefined) throw new Error(`no such task: ${name}`);
    return run(input);
  };
}
