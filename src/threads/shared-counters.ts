import { GatewayError } from '../core/errors.ts';

const IN_FLIGHT = 0;
const BODY_KIB = 1;
const TOTALS = 2;
const PER_THREAD = 3;
/** Beside a thread's shares: frames of records that the main thread has taken from it. */
const FRAMES_TAKEN = 2;

const RETRY_AFTER_MS = 1_000;

/** The error of a request for which `SharedCounters.enter` found no place. */
export function inFlightFull(maxInFlight: number): GatewayError {
  return new GatewayError('overloaded', {
    setting: `limits.max_in_flight: ${maxInFlight}`,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/**
 * Counts on which all relay threads must agree exactly: one SharedArrayBuffer, changed with Atomics, without messages or
 * locks. The share of each thread is kept beside the sum, so that the main thread can give back what a dead one held.
 */
export class SharedCounters {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #own: number;

  /** `thread`: 0-based index of the relay thread that counts; the main thread only reads. */
  constructor(threads: number, thread: number, buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(4 * (TOTALS + PER_THREAD * threads));
    this.#cells = new Int32Array(this.buffer);
    this.#own = TOTALS + PER_THREAD * thread;
  }

  get inFlight(): number {
    return Atomics.load(this.#cells, IN_FLIGHT);
  }

  /** Exchanges in flight in this thread alone. */
  get ownInFlight(): number {
    return Atomics.load(this.#cells, this.#own + IN_FLIGHT);
  }

  get bodyBytes(): number {
    return Atomics.load(this.#cells, BODY_KIB) * 1024;
  }

  /** Takes a place in flight; false, and nothing taken, where `maxInFlight` exchanges are open over all threads. */
  enter(maxInFlight: number): boolean {
    return this.#take(IN_FLIGHT, 1, maxInFlight);
  }

  leave(): void {
    this.#give(IN_FLIGHT, 1);
  }

  /** Takes room for a body, in whole KiB; false where all threads together would hold more than `maxBytes`. */
  holdBody(bytes: number, maxBytes: number): boolean {
    return this.#take(BODY_KIB, kib(bytes), Math.floor(maxBytes / 1024));
  }

  releaseBody(bytes: number): void {
    this.#give(BODY_KIB, kib(bytes));
  }

  /** The main thread: one more frame of records of thread `thread` is dealt with. */
  takeFrame(thread: number): void {
    Atomics.add(this.#cells, TOTALS + PER_THREAD * thread + FRAMES_TAKEN, 1);
  }

  /** Frames of this thread that the main thread has dealt with, since the thread before it died or ever. */
  get framesTaken(): number {
    return Atomics.load(this.#cells, this.#own + FRAMES_TAKEN);
  }

  /** Undefined while an exchange is open in any thread; else a number that another one is likely to change. */
  get idleMark(): number | undefined {
    if (this.inFlight > 0) return undefined;
    let taken = 0;
    for (let cell = TOTALS + FRAMES_TAKEN; cell < this.#cells.length; cell += PER_THREAD)
      taken += Atomics.load(this.#cells, cell);
    return taken;
  }

  /** The main thread, after thread `thread` died: gives back what it held. */
  reclaim(thread: number): void {
    Atomics.store(this.#cells, TOTALS + PER_THREAD * thread + FRAMES_TAKEN, 0);
    for (const kind of [IN_FLIGHT, BODY_KIB]) {
      const held = Atomics.exchange(this.#cells, TOTALS + PER_THREAD * thread + kind, 0);
      Atomics.sub(this.#cells, kind, held);
    }
  }

  #take(kind: number, amount: number, max: number): boolean {
    if (Atomics.add(this.#cells, kind, amount) + amount > max) {
      Atomics.sub(this.#cells, kind, amount);
      return false;
    }
    Atomics.add(this.#cells, this.#own + kind, amount);
    return true;
  }

  #give(kind: number, amount: number): void {
    Atomics.sub(this.#cells, this.#own + kind, amount);
    Atomics.sub(this.#cells, kind, amount);
  }
}

function kib(bytes: number): number {
  return (bytes + 1023) >> 10;
}
