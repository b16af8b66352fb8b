const FREE = 0;
const LOADING = 1;
const STOPPED = 2;

/**
 * Stands between a thread that loads code and whoever stops it. Node 22 ends the whole process where a thread is stopped while
 * it loads a module by `require`: it asks the module that was not linked whether it is asynchronous (`ModuleWrap::InstantiateSync`).
 * So a thread says when it loads, and is stopped before or after that.
 */
export class LoadGate {
  readonly buffer: SharedArrayBuffer;
  readonly #word: Int32Array;
  /** A module that is loaded may load others. */
  #depth = 0;

  /** `buffer`: that of the other side's gate. */
  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer;
    this.#word = new Int32Array(buffer);
  }

  /** In the thread that may be stopped. Throws where that is about to happen. */
  pass<T>(load: () => T): T {
    const isFirst = this.#depth === 0;
    if (isFirst && Atomics.compareExchange(this.#word, 0, FREE, LOADING) === STOPPED)
      throw new Error('nothing is loaded by a thread that is stopped');
    this.#depth += 1;
    try {
      return load();
    } finally {
      this.#depth -= 1;
      if (isFirst) {
        Atomics.store(this.#word, 0, FREE);
        Atomics.notify(this.#word, 0);
      }
    }
  }

  /** Resolves when the thread may be stopped, which loads nothing from then on. */
  async close(): Promise<void> {
    while (Atomics.compareExchange(this.#word, 0, FREE, STOPPED) === LOADING)
      await Atomics.waitAsync(this.#word, 0, LOADING).value;
  }
}
