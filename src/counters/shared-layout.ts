import { randomBytes } from 'node:crypto';

/**
 * Where everything lies in the one SharedArrayBuffer of all counts. The operating system gives a page when it is first
 * touched, so what is laid out generously here costs address space and not memory.
 *
 * header · a line per thread · locks · tags (two 32-bit lanes a cell) · values (64 doubles a cell) · slots of each thread
 */

/** A processor fetches 64 bytes at once: what two threads write must not lie in one such line. */
const LINE_BYTES = 64;
export const LINE_INTS = LINE_BYTES / 4;

/** Cells that may take the place of one another. */
export const WAYS = 64;
/** The last ones of each stripe are kept for cells that have no other to fall back on. */
export const KEPT_WAYS = 8;
export const VALUES_PER_CELL = 64;
/**
 * A power of two, up to 32: a request takes all its locks by walking the bits of one mask. Few, because taking one costs
 * 25 ns and a request under fifteen limits would take most of them anyway; it holds them for less than a microsecond.
 */
export const LOCKS = 4;

/** A slot is 32 bytes: four 32-bit lanes and two doubles. */
export const SLOT_INTS = 8;
export const SLOT_DOUBLES = 4;

/** Slots for exchanges that are all on one thread, each under as many limits as only a large configuration has. */
const LEGS_PER_EXCHANGE = 16;
const FEWEST_SLOTS = 4_096;
const MOST_SLOTS = 1_048_576;

const HEADER_BYTES = 128;
/** 32-bit places in the header. */
const THREADS = 0;
const STRIPES = 1;
const SLOTS = 2;
const KEY_0 = 3;
const KEY_1 = 4;
export const OVERFLOWED = 5;
export const TAKEN_OVER = 6;
/** Doubles in the header. */
export const BASE_MS = 8;
export const CLOCK_OFFSET_MS = 9;
export const WALL_SHIFT_MS = 10;

/** In a thread's line. */
export const OPEN = 0;
export const SLOTS_EVER_USED = 1;

/** The number of the database's thread among those that count, behind the main thread's. */
export function databaseThreadOf(relayThreads: number): number {
  return relayThreads + 1;
}

export interface SharedCellsOptions {
  /** Threads that count: relay threads, then the main thread, and that of the database. */
  readonly threads: number;
  /** Rounded up to whole stripes, a power of two of them. */
  readonly maxCells: number;
  readonly maxInFlight: number;
  /** Times before it are taken for it. */
  readonly baseMs: number;
  /** Adds up with the machine's monotonic clock to milliseconds since the Unix epoch. */
  readonly clockOffsetMs: number;
}

export class SharedLayout {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly stripes: number;
  /** The slots of each thread. */
  readonly slots: number;
  readonly hashKeys: readonly [number, number];
  readonly header: Int32Array;
  readonly headerDoubles: Float64Array;
  readonly lines: Int32Array;
  readonly locks: Int32Array;
  readonly tags: Int32Array;
  readonly values: Float64Array;
  readonly slotInts: Int32Array;
  readonly slotDoubles: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.headerDoubles = new Float64Array(buffer, 0, HEADER_BYTES / 8);
    this.threads = this.header[THREADS]!;
    this.stripes = this.header[STRIPES]!;
    this.slots = this.header[SLOTS]!;
    this.hashKeys = [this.header[KEY_0]!, this.header[KEY_1]!];
    const cells = this.stripes * WAYS;
    let at = HEADER_BYTES;
    const next = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    this.lines = new Int32Array(buffer, next(this.threads * LINE_BYTES), this.threads * LINE_INTS);
    this.locks = new Int32Array(buffer, next(LOCKS * LINE_BYTES), LOCKS * LINE_INTS);
    this.tags = new Int32Array(buffer, next(cells * 8), cells * 2);
    this.values = new Float64Array(buffer, next(cells * VALUES_PER_CELL * 8), cells * VALUES_PER_CELL);
    const slotsAt = next(this.threads * this.slots * SLOT_INTS * 4);
    this.slotInts = new Int32Array(buffer, slotsAt, this.threads * this.slots * SLOT_INTS);
    this.slotDoubles = new Float64Array(buffer, slotsAt, this.threads * this.slots * SLOT_DOUBLES);
  }

  static create({ threads, maxCells, maxInFlight, baseMs, clockOffsetMs }: SharedCellsOptions): SharedLayout {
    const stripes = 2 ** Math.ceil(Math.log2(Math.max(1, maxCells / WAYS)));
    const slots = Math.min(MOST_SLOTS, Math.max(FEWEST_SLOTS, maxInFlight * LEGS_PER_EXCHANGE));
    const cellBytes = stripes * WAYS * (8 + VALUES_PER_CELL * 8);
    const slotBytes = threads * slots * SLOT_INTS * 4;
    const buffer = new SharedArrayBuffer(HEADER_BYTES + (threads + LOCKS) * LINE_BYTES + cellBytes + slotBytes);
    const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    const random = randomBytes(8);
    header[THREADS] = threads;
    header[STRIPES] = stripes;
    header[SLOTS] = slots;
    header[KEY_0] = random.readInt32LE(0);
    header[KEY_1] = random.readInt32LE(4);
    const doubles = new Float64Array(buffer, 0, HEADER_BYTES / 8);
    doubles[BASE_MS] = baseMs;
    doubles[CLOCK_OFFSET_MS] = clockOffsetMs;
    return new SharedLayout(buffer);
  }
}
