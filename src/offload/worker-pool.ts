import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { Task, TaskMessage } from './tasks.ts';

export interface WorkerPoolOptions {
  /** The worker's entry file; its default export is a `taskRunner`. */
  entry: URL;
  maxThreads?: number;
  idleTimeoutMs?: number;
  maxHeapMb?: number;
}

export interface RunOptions {
  /** Memory that moves to the worker: gone for the caller, whatever comes back. */
  transfer?: readonly ArrayBuffer[];
  /** Stops the task, queued or running. */
  abandoned?: AbortSignal;
  /** From handing the task in to its result, in ms. A task that runs longer is stopped with its thread. */
  deadlineMs?: number;
  /** Tasks of the same name that may wait for a thread; each holds its input. */
  maxQueued?: number;
}

const DEADLINE_MS = 5000;
const MAX_QUEUED = 64;

/** Why a task has no result. */
export interface TaskFailure {
  readonly failure: 'closed' | 'queue-full' | 'deadline' | 'failed';
  readonly cause?: unknown;
}

/**
 * A few threads for heavy work (only door to piscina). Nothing is started before the first task, and threads that have
 * nothing to do end again: a gateway that offloads nothing pays nothing.
 */
export class WorkerPool {
  readonly #options: Required<WorkerPoolOptions>;
  #piscina: Promise<Piscina<TaskMessage, unknown>> | undefined;
  #open = 0;
  readonly #openByName = new Map<string, number>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = {
      maxThreads: 1,
      idleTimeoutMs: 10_000,
      maxHeapMb: 256,
      ...options,
    };
  }

  /** Never rejects. */
  async run<Input, Output>(
    task: Task<Input, Output>,
    input: Input,
    { transfer = [], abandoned, deadlineMs = DEADLINE_MS, maxQueued = MAX_QUEUED }: RunOptions = {},
  ): Promise<{ readonly value: Output } | TaskFailure> {
    if (this.#closed) return { failure: 'closed' };
    const open = this.#openByName.get(task.name) ?? 0;
    // Counted here, not by the pool: its own limit does not hold while its first thread starts.
    if (open >= maxQueued + this.#options.maxThreads) return { failure: 'queue-full' };
    this.#openByName.set(task.name, open + 1);
    this.#open += 1;
    // Not AbortSignal.timeout: its timer does not keep a process alive that waits for nothing but this.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    const stop = (): void => deadline.abort();
    abandoned?.addEventListener('abort', stop);
    try {
      this.#piscina ??= this.#start();
      const piscina = await this.#piscina;
      const message: TaskMessage = { name: task.name, input };
      const value = await piscina.run(message, { signal: deadline.signal, transferList: [...transfer] });
      // The implementation of this task returned it (tasks.ts).
      return { value: value as Output };
    } catch (cause) {
      return { failure: deadline.signal.aborted ? 'deadline' : 'failed', cause };
    } finally {
      clearTimeout(timer);
      abandoned?.removeEventListener('abort', stop);
      this.#open -= 1;
      this.#openByName.set(task.name, this.#openByName.get(task.name)! - 1);
      if (this.#open === 0) this.#whenEmpty?.();
    }
  }

  /** Takes no more tasks, waits for those it has (their deadlines bound it), then ends the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
    }
    await (await this.#piscina)?.destroy();
  }

  /** The library itself is loaded by the first task. */
  async #start(): Promise<Piscina<TaskMessage, unknown>> {
    const { Piscina } = await import('piscina');
    const { entry, maxThreads, idleTimeoutMs, maxHeapMb } = this.#options;
    const piscina = new Piscina<TaskMessage, unknown>({
      filename: fileURLToPath(entry),
      minThreads: 0,
      maxThreads,
      idleTimeout: idleTimeoutMs,
      maxQueue: Number.POSITIVE_INFINITY,
      // Below the event loops, where the system knows niceness per thread: nobody waits for an offloaded task.
      niceIncrement: 10,
      // No secret of the process's environment is of use there.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    // A thread that cannot start or dies rejects its tasks too; unheard, the event would end the process.
    piscina.on('error', () => {});
    return piscina;
  }
}
