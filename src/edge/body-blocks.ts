/**
 * Memory for large request bodies, which one body uses after the other. Twenty fresh megabytes for each image request
 * cost 5,000 page faults and a major collection every few requests, and both stop every other stream of the thread for
 * milliseconds (load: large-image-body).
 *
 * A block goes back only when every holder has released it. A holder that cannot know whether its bytes are still being
 * read (an attempt that was cut while undici wrote it) never does, and the block is left to the collector: another
 * client's body must never stand in a request that is still being sent.
 */
export class BodyBlocks {
  #idle: Buffer[] = [];
  #idleBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Undefined: a body of this size is too small, or too large, for a block. */
  take(bytes: number): BodyBlock | undefined {
    if (bytes < SMALLEST_BYTES || bytes > KEPT_BYTES) return undefined;
    const size = sizeFor(bytes);
    const at = this.#idle.findIndex((memory) => memory.length === size);
    const memory = at < 0 ? Buffer.allocUnsafeSlow(size) : this.#idle.splice(at, 1)[0]!;
    if (at >= 0) this.#idleBytes -= size;
    return new BodyBlock(memory, this.#give);
  }

  /** Bytes that wait for the next body. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  #give = (memory: Buffer): void => {
    if (this.#idleBytes + memory.length > KEPT_BYTES) return;
    this.#idle.push(memory);
    this.#idleBytes += memory.length;
    if (this.#timer === undefined) this.#timer = setTimeout(this.#forget, IDLE_MS).unref();
    else this.#timer.refresh();
  };

  #forget = (): void => {
    this.#timer = undefined;
    this.#idle = [];
    this.#idleBytes = 0;
  };
}

export class BodyBlock {
  readonly memory: Buffer;
  #holders = 1;
  readonly #give: (memory: Buffer) => void;

  constructor(memory: Buffer, give: (memory: Buffer) => void) {
    this.memory = memory;
    this.#give = give;
  }

  /** Adds a reader, which calls the function that it is given when it has read all. */
  hold(): () => void {
    this.#holders += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.release();
    };
  }

  /** Called by the first holder, the exchange itself. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#give(this.memory);
  }
}

/** Below it a body costs less than the bookkeeping. */
const SMALLEST_BYTES = 1_048_576;
/** Idle blocks of one thread, together. */
const KEPT_BYTES = 67_108_864;
const IDLE_MS = 10_000;

/** Powers of two: few sizes, so that the next body finds one that fits. */
function sizeFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
