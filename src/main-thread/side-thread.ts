import { setTimeout as delay } from 'node:timers/promises';
import { type Transferable, Worker } from 'node:worker_threads';

export interface SideThreadOptions<From> {
  readonly entry: URL;
  readonly name: string;
  hear(message: From): void;
  /** The thread failed; `onExit` follows. */
  onError(error: unknown): void;
  /** The thread ended, be it by itself or at the close. */
  onExit(): void;
}

/** A thread that the main thread begins when it is first needed, and again after it ended. */
export class SideThread<To, From extends { readonly type: string }> {
  readonly #options: SideThreadOptions<From>;
  #worker: Worker | undefined;
  #isClosing = false;
  #onClosed: (() => void) | undefined;

  constructor(options: SideThreadOptions<From>) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Does nothing where it runs already. */
  begin(): void {
    if (this.#worker !== undefined) return;
    const { entry, name, hear, onError } = this.#options;
    const worker = new Worker(entry, { name });
    worker.on('message', (message: From) => {
      hear(message);
      if (message.type === 'closed') this.#onClosed?.();
    });
    worker.on('error', onError);
    worker.on('exit', () => this.#ended(worker));
    this.#worker = worker;
  }

  /** Does nothing where it does not run. */
  post(message: To, transfer: readonly Transferable[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  /** Asks the thread to close, and ends it when it has said `closed`, or after `maxMs`. */
  async close(message: To, maxMs: number): Promise<void> {
    this.#isClosing = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.post(message);
    await Promise.race([closed, delay(maxMs, undefined, { ref: false })]);
    await worker.terminate();
  }

  #ended(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    this.#onClosed?.();
    this.#options.onExit();
  }
}
