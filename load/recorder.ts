/**
 * A histogram of microseconds: linear below 128 µs, then 128 steps per doubling, so a reading is at most 0.8 % off.
 * Minimum, maximum and mean are exact. Recording allocates nothing; the table grows with the largest value seen.
 */
const STEPS = 128;
const STEP_BITS = 7;
/** Longer than any wait here (12 days); a larger value counts as this. */
const MAX_US = 2 ** 40;

/** What crosses a process border: pairs of [slot, count], flattened. */
export type RecorderData = { count: number; sumUs: number; minUs: number; maxUs: number; slots: number[] };

export class Recorder {
  count = 0;
  #sumUs = 0;
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = 0;
  #slots = new Float64Array(STEPS * 16);

  record(us: number): void {
    const value = Math.min(Math.max(us, 0), MAX_US);
    this.count++;
    this.#sumUs += value;
    if (value < this.#minUs) this.#minUs = value;
    if (value > this.#maxUs) this.#maxUs = value;
    this.#add(slotOf(Math.floor(value)), 1);
  }

  /** The value below or at which `percent` of the recordings lie; NaN when nothing was recorded. */
  percentile(percent: number): number {
    if (this.count === 0) return Number.NaN;
    if (percent <= 0) return this.#minUs;
    if (percent >= 100) return this.#maxUs;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.count));
    let seen = 0;
    for (let slot = 0; slot < this.#slots.length; slot++) {
      seen += this.#slots[slot]!;
      if (seen >= rank) return Math.min(this.#maxUs, Math.max(this.#minUs, middleOf(slot)));
    }
    return this.#maxUs;
  }

  get meanUs(): number {
    return this.count === 0 ? Number.NaN : this.#sumUs / this.count;
  }

  get maxUs(): number {
    return this.count === 0 ? Number.NaN : this.#maxUs;
  }

  get minUs(): number {
    return this.count === 0 ? Number.NaN : this.#minUs;
  }

  toData(): RecorderData {
    const slots: number[] = [];
    this.#slots.forEach((count, slot) => {
      if (count > 0) slots.push(slot, count);
    });
    return { count: this.count, sumUs: this.#sumUs, minUs: this.#minUs, maxUs: this.#maxUs, slots };
  }

  add(data: RecorderData): this {
    this.count += data.count;
    this.#sumUs += data.sumUs;
    this.#minUs = Math.min(this.#minUs, data.minUs);
    this.#maxUs = Math.max(this.#maxUs, data.maxUs);
    for (let i = 0; i < data.slots.length; i += 2) this.#add(data.slots[i]!, data.slots[i + 1]!);
    return this;
  }

  static from(...parts: RecorderData[]): Recorder {
    const recorder = new Recorder();
    for (const part of parts) recorder.add(part);
    return recorder;
  }

  #add(slot: number, count: number): void {
    if (slot >= this.#slots.length) {
      const wider = new Float64Array(Math.max(slot + 1, this.#slots.length * 2));
      wider.set(this.#slots);
      this.#slots = wider;
    }
    this.#slots[slot]! += count;
  }
}

function slotOf(value: number): number {
  if (value < STEPS) return value;
  const doubling = Math.floor(Math.log2(value)) - STEP_BITS;
  return STEPS + doubling * STEPS + Math.floor(value / 2 ** doubling) - STEPS;
}

function middleOf(slot: number): number {
  if (slot < STEPS) return slot;
  const doubling = Math.floor(slot / STEPS) - 1;
  return ((slot % STEPS) + STEPS + 0.5) * 2 ** doubling;
}
