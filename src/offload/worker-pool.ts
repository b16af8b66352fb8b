import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { LoadGate } from '../core/load-gate.ts';
import { type Task, type TaskMessage, wakingTask } from './tasks.ts';

export interface WorkerPoolOptions {
  /** The worker's entry file; its default export is a `taskRunner`. */
  entry: URL;
  maxThreads?: number;
  idleTimeoutMs?: number;
  maxHeapMb?: number;
  /** How far below the event loops its threads stand, where the system knows niceness per thread. */
  niceIncrement?: number;
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
/** How long a stop waits for a thread that has only begun to start. */
const START_MS = 5_000;

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
  /** Ids of threads that have loaded what they begin with. */
  readonly #ready = new Set<number>();
  readonly #openByName = new Map<string, number>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = {
      maxThreads: 1,
      idleTimeoutMs: 10_000,
      maxHeapMb: 256,
      // Nobody waits for most offloaded tasks.
      niceIncrement: 10,
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
    // Counted here, not by the pool: its own limit does not hold while its first thread starts.
    if ((this.#openByName.get(task.name) ?? 0) >= maxQueued + this.#options.maxThreads)
      return { failure: 'queue-full' };
    const gate = new LoadGate();
    const { promise: given, resolve: giveUp } = Promise.withResolvers<TaskFailure>();
    const stopping = new AbortController();
    const stop = (): void => {
      giveUp({ failure: 'deadline' });
      void gate.close().then(() => stopping.abort());
    };
    // Not AbortSignal.timeout: its timer does not keep a process alive that waits for nothing but this.
    const timer = setTimeout(stop, deadlineMs);
    abandoned?.addEventListener('abort', stop);
    try {
      const message: TaskMessage = { name: task.name, input, gate: gate.buffer };
      return await Promise.race([this.#result<Output>(message, transfer, stopping.signal), given]);
    } finally {
      clearTimeout(timer);
      abandoned?.removeEventListener('abort', stop);
    }
  }

  /** A task is open until its thread is done with it, which may be later than it is waited for. */
  async #result<Output>(
    message: TaskMessage,
    transfer: readonly ArrayBuffer[],
    signal: AbortSignal,
  ): Promise<{ readonly value: Output } | TaskFailure> {
    const { name } = message;
    this.#openByName.set(name, (this.#openByName.get(name) ?? 0) + 1);
    this.#open += 1;
    try {
      this.#piscina ??= this.#start();
      const piscina = await this.#piscina;
      const value = await piscina.run(message, { signal, transferList: [...transfer] });
      // The implementation of this task returned it (tasks.ts).
      return { value: value as Output };
    } catch (cause) {
      return { failure: signal.aborted ? 'deadline' : 'failed', cause };
    } finally {
      this.#open -= 1;
      this.#openByName.set(name, this.#openByName.get(name)! - 1);
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
    const piscina = await this.#piscina;
    if (piscina === undefined) return;
    await this.#started(piscina);
    await piscina.destroy();
  }

  /**
   * Waits until no thread starts, START_MS at the most: a thread that starts loads code, and must not be stopped meanwhile
   * (core/load-gate.ts). The timer keeps the process alive, which idle threads do not.
   */
  async #started(piscina: Piscina<TaskMessage, unknown>): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), START_MS);
    const { signal } = late;
    const change = (event: string): Promise<unknown> => once(piscina, event, { signal });
    while (!signal.aborted && piscina.threads.some(({ threadId }) => !this.#ready.has(threadId)))
      await Promise.race([change('workerCreate'), change('workerDestroy')]).catch(() => {
        // A thread that has not come up by now is stopped all the same.
      });
    clearTimeout(timer);
  }

  /** The library itself is loaded by the first task. */
  async #start(): Promise<Piscina<TaskMessage, unknown>> {
    const { Piscina } = await import('piscina');
    const { entry, maxThreads, idleTimeoutMs, maxHeapMb, niceIncrement } = this.#options;
    const piscina = new Piscina<TaskMessage, unknown>({
      filename: fileURLToPath(entry),
      minThreads: 0,
      maxThreads,
      idleTimeout: idleTimeoutMs,
      maxQueue: Number.POSITIVE_INFINITY,
      niceIncrement,
      // No secret of the process's environment is of use there.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      // By default a thread that still starts may get a task, and is stopped with it while it loads code.
      loadBalancer: (_task, threads) =>
        threads.find(({ id, currentUsage }) => currentUsage === 0 && this.#ready.has(id)) ?? null,
    });
    // A thread that cannot start or dies rejects its tasks too; unheard, the event would end the process.
    piscina.on('error', () => {});
    let hasStarted = false;
    piscina.on('workerCreate', ({ id }: { readonly id: number }) => {
      hasStarted = true;
      this.#ready.add(id);
    });
    piscina.on('workerDestroy', ({ id }: { readonly id: number }) => {
      this.#ready.delete(id);
      if (!hasStarted) return;
      hasStarted = false;
      // In a turn of its own: the pool still counts the thread among its own.
      setImmediate(() => {
        // Those that waited for the thread would be given another one with the next task only.
        if (piscina.queueSize === 0) return;
        piscina.run(wakingTask()).catch(() => {
          // A task that waits for the thread fails at its own deadline.
        });
      });
    });
    return piscina;
  }
}
