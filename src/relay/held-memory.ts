/** Memory that all exchanges share (`limits.max_body_memory_bytes`): SharedCounters. */
export interface SharedMemory {
  /** False, and nothing taken, where all together would hold more than `maxBytes`. */
  holdBody(bytes: number, maxBytes: number): boolean;
  releaseBody(bytes: number): void;
}

/** Memory below this is what any open stream costs, and is not counted. */
const FREE_BYTES = 65_536;
/** Counted in steps, so that bytes which come one by one do not each ask the other threads. */
const STEP_BYTES = 65_536;

/** The memory that one exchange holds beyond FREE_BYTES, counted in the memory that all exchanges share. */
export class HeldMemory {
  readonly #shared: SharedMemory;
  readonly #maxBytes: number;
  #counted = 0;

  constructor(shared: SharedMemory, maxBytes: number) {
    this.#shared = shared;
    this.#maxBytes = maxBytes;
  }

  /** Whether so many bytes may be held now, all together; false: there is no room, and nothing more was counted. */
  mayHold(bytes: number): boolean {
    const needed = bytes - FREE_BYTES;
    if (needed <= this.#counted) return true;
    const more = Math.ceil((needed - this.#counted) / STEP_BYTES) * STEP_BYTES;
    if (!this.#shared.holdBody(more, this.#maxBytes)) return false;
    this.#counted += more;
    return true;
  }

  /** Nothing is held any more. */
  release(): void {
    if (this.#counted === 0) return;
    this.#shared.releaseBody(this.#counted);
    this.#counted = 0;
  }

  /** The setting for the error of an exchange that may not hold more. */
  get setting(): string {
    return `limits.max_body_memory_bytes: ${this.#maxBytes}`;
  }
}
