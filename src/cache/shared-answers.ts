import { Buffer } from 'node:buffer';
import { LINE_INTS, LOCKS } from '../counters/shared-layout.ts';
import { StripeLocks } from '../counters/stripe-locks.ts';

/*
 * Answers in memory that all relay threads share. Their bytes lie in a ring one behind another, and the newest writes
 * over the oldest: so the memory is bounded to the byte and never in pieces. One that is asked for again while it lies in
 * the oldest quarter is written anew at the front. The operating system gives a page when it is first touched.
 *
 * header · locks · slots (10 words each, 8 to a bucket) · ring
 */

/** 32-bit words of the header; those of 64 bits take two. */
const TAKEN_OVER = 6;
/** Not 0 while the ring is written: who finds it so after a lock was taken over forgets everything. */
const WRITING = 7;
const ENTRIES = 8;
const EVICTED = 9;
const STORED = 10;
const HEADER_WORDS = 32;
/** Places in the ring as doubles, counted on and on: the place in the memory is the rest of the division by its length. */
const HEAD = 12;
const TAIL = 13;

/** Words of a slot: four of its key, then these. */
const LENGTH = 4;
const ENDS_AT = 5;
const SPACE_0 = 6;
const SPACE_1 = 7;
/** A double: its place in the ring, counted on and on. */
const PLACE = 8;
const SLOT_WORDS = 10;
const WAYS = 8;

/** In front of each entry in the ring: its length with this head, and the slot that names it, or NO_SLOT. */
const RING_HEAD_BYTES = 8;
const NO_SLOT = 0xffff_ffff;
const ALIGN_BYTES = 8;
/** Entries are taken to be as large as this at least. */
const BYTES_PER_SLOT = 1_024;
const MIN_SLOTS = 1_024;
const MAX_SLOTS = 1_048_576;

/** Sixteen bytes of a digest, as four words. */
export type AnswerKey = Int32Array;

export interface AnswerSlot {
  /** The size of the entry with its head. */
  readonly bytes: number;
  readonly space: readonly [number, number];
  readonly endsAtSeconds: number;
}

/** `entry`: a copy. `place`: no other entry is ever there. */
export interface PlacedEntry {
  readonly entry: Buffer;
  readonly place: number;
}

export interface AnswerMemory {
  readonly entries: number;
  readonly usedBytes: number;
  readonly maxBytes: number;
  /** Since the start: whose room another one needed. */
  readonly evicted: number;
  readonly stored: number;
}

export class SharedAnswers {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #ring: Buffer;
  readonly #ringBytes: number;
  readonly #slots: number;
  readonly #slotsAt: number;
  readonly #locks: StripeLocks;

  /** `maxBytes`: of the ring; 0 holds nothing. `thread`: of whoever uses it, each its own. */
  constructor(maxBytes: number, thread: number, buffer?: SharedArrayBuffer) {
    this.#ringBytes = Math.floor(maxBytes / ALIGN_BYTES) * ALIGN_BYTES;
    this.#slots = slotsFor(this.#ringBytes);
    const locksAt = HEADER_WORDS;
    this.#slotsAt = locksAt + LOCKS * LINE_INTS;
    const ringAt = 4 * (this.#slotsAt + this.#slots * SLOT_WORDS);
    this.buffer = buffer ?? new SharedArrayBuffer(ringAt + this.#ringBytes);
    this.#words = new Int32Array(this.buffer, 0, ringAt / 4);
    this.#doubles = new Float64Array(this.buffer, 0, ringAt / 8);
    this.#ring = Buffer.from(this.buffer, ringAt, this.#ringBytes);
    const locks = this.#words.subarray(locksAt, this.#slotsAt);
    this.#locks = new StripeLocks({ locks, header: this.#words }, thread);
  }

  /** Undefined: there is none that is still good. `nowSeconds` since the Unix epoch. */
  get(key: AnswerKey, nowSeconds: number): PlacedEntry | undefined {
    if (this.#ringBytes === 0) return undefined;
    this.#lock();
    const slot = this.#find(key);
    let found: PlacedEntry | undefined;
    if (slot >= 0 && this.#words[slot + ENDS_AT]! > nowSeconds) {
      const entry = this.#copy(slot);
      const at = this.#isOld(slot) ? this.#write(key, entry, this.#words[slot + ENDS_AT]!, this.#spaceOf(slot)) : slot;
      found = { entry, place: this.#doubles[(at + PLACE) / 2]! };
    }
    this.#unlock();
    return found;
  }

  /** Whether it is what `get` found at that place, and needs no `get` that keeps it from being written over. */
  isStill(key: AnswerKey, place: number, nowSeconds: number): boolean {
    this.#lock();
    const slot = this.#find(key);
    const isThere = slot >= 0 && this.#doubles[(slot + PLACE) / 2] === place;
    const isStill = isThere && this.#words[slot + ENDS_AT]! > nowSeconds && !this.#isOld(slot);
    this.#unlock();
    return isStill;
  }

  /** False: it is too large to be held. `space`: of its namespace, by which it can be flushed. */
  set(key: AnswerKey, entry: Buffer, endsAtSeconds: number, space: readonly [number, number]): boolean {
    // One that takes more than a quarter would drive out all others.
    if (ringBytesOf(entry) > this.#ringBytes / 4) return false;
    this.#lock();
    this.#write(key, entry, endsAtSeconds, space);
    this.#words[STORED]! += 1;
    this.#unlock();
    return true;
  }

  /** How many were dropped; undefined `space`: all. */
  flush(space?: readonly [number, number]): number {
    if (this.#ringBytes === 0) return 0;
    this.#lock();
    let dropped = 0;
    for (let slot = this.#slotsAt; slot < this.#words.length; slot += SLOT_WORDS) {
      if (this.#words[slot + LENGTH] === 0) continue;
      const [first, second] = this.#spaceOf(slot);
      if (space !== undefined && (first !== space[0] || second !== space[1])) continue;
      this.#clear(slot);
      dropped += 1;
    }
    this.#unlock();
    return dropped;
  }

  memory(): AnswerMemory {
    this.#lock();
    const memory = {
      entries: this.#words[ENTRIES]!,
      usedBytes: this.#doubles[HEAD]! - this.#doubles[TAIL]!,
      maxBytes: this.#ringBytes,
      evicted: this.#words[EVICTED]!,
      stored: this.#words[STORED]!,
    };
    this.#unlock();
    return memory;
  }

  /** Those that are still good, with a copy of each first of its space: for whoever looks at it now and then. */
  *slots(nowSeconds: number): Generator<AnswerSlot & { readonly entry: Buffer | undefined }> {
    const seen = new Set<string>();
    for (let slot = this.#slotsAt; slot < this.#words.length; slot += SLOT_WORDS) {
      if (Atomics.load(this.#words, slot + LENGTH) === 0) continue;
      this.#lock();
      const bytes = this.#words[slot + LENGTH]!;
      const endsAtSeconds = this.#words[slot + ENDS_AT]!;
      const space = this.#spaceOf(slot);
      const isGood = bytes > 0 && endsAtSeconds > nowSeconds;
      const name = space.join(' ');
      const entry = isGood && !seen.has(name) ? this.#copy(slot) : undefined;
      this.#unlock();
      if (!isGood) continue;
      seen.add(name);
      yield { bytes, space, endsAtSeconds, entry };
    }
  }

  /** The main thread, after `thread` died: what it held is free. */
  release(thread: number): void {
    this.#locks.release(thread);
  }

  // ── under the lock ────────────────────────────────────────────────────────

  #lock(): void {
    this.#locks.lock(1);
    if (this.#words[WRITING] === 0) return;
    // Its writer died in the middle: nobody knows what is whole.
    this.#words.fill(0, this.#slotsAt);
    this.#doubles[TAIL] = this.#doubles[HEAD]!;
    this.#words[ENTRIES] = 0;
    this.#words[WRITING] = 0;
    this.#words[TAKEN_OVER]! += 1;
  }

  #unlock(): void {
    this.#locks.unlock(1);
  }

  /** First word of the key's slot; -1: it has none. */
  #find(key: AnswerKey): number {
    const bucket = this.#bucket(key);
    for (let slot = bucket; slot < bucket + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      if (this.#words[slot + LENGTH] !== 0 && this.#holds(slot, key)) return slot;
    }
    return -1;
  }

  #bucket(key: AnswerKey): number {
    return this.#slotsAt + ((key[0]! >>> 0) % (this.#slots / WAYS)) * WAYS * SLOT_WORDS;
  }

  #holds(slot: number, key: AnswerKey): boolean {
    const words = this.#words;
    return (
      words[slot] === key[0] && words[slot + 1] === key[1] && words[slot + 2] === key[2] && words[slot + 3] === key[3]
    );
  }

  #spaceOf(slot: number): [number, number] {
    return [this.#words[slot + SPACE_0]!, this.#words[slot + SPACE_1]!];
  }

  #copy(slot: number): Buffer {
    const at = (this.#doubles[(slot + PLACE) / 2]! % this.#ringBytes) + RING_HEAD_BYTES;
    const copy = Buffer.allocUnsafe(this.#words[slot + LENGTH]!);
    this.#ring.copy(copy, 0, at, at + copy.length);
    return copy;
  }

  #isOld(slot: number): boolean {
    const place = this.#doubles[(slot + PLACE) / 2]!;
    return this.#doubles[HEAD]! - place > 0.75 * this.#ringBytes;
  }

  /** First word of its slot. */
  #write(key: AnswerKey, entry: Buffer, endsAt: number, space: readonly [number, number]): number {
    this.#words[WRITING] = 1;
    const before = this.#find(key);
    if (before >= 0) this.#clear(before);
    const bytes = ringBytesOf(entry);
    this.#makeRoom(bytes);
    const slot = this.#freeSlot(key);
    const place = this.#doubles[HEAD]!;
    const at = place % this.#ringBytes;
    this.#ring.writeUInt32LE(bytes, at);
    this.#ring.writeUInt32LE((slot - this.#slotsAt) / SLOT_WORDS, at + 4);
    entry.copy(this.#ring, at + RING_HEAD_BYTES);
    this.#words.set(key, slot);
    this.#words[slot + LENGTH] = entry.length;
    this.#words[slot + ENDS_AT] = endsAt;
    this.#words[slot + SPACE_0] = space[0];
    this.#words[slot + SPACE_1] = space[1];
    this.#doubles[(slot + PLACE) / 2] = place;
    this.#doubles[HEAD] = place + bytes;
    this.#words[ENTRIES]! += 1;
    this.#words[WRITING] = 0;
    return slot;
  }

  /** So many bytes in one piece at the head, over the oldest entries. */
  #makeRoom(bytes: number): void {
    const untilEnd = this.#ringBytes - (this.#doubles[HEAD]! % this.#ringBytes);
    if (untilEnd < bytes) {
      this.#evict(untilEnd);
      // Alignment leaves room for a head at least.
      const at = this.#ringBytes - untilEnd;
      this.#ring.writeUInt32LE(untilEnd, at);
      this.#ring.writeUInt32LE(NO_SLOT, at + 4);
      this.#doubles[HEAD]! += untilEnd;
    }
    this.#evict(bytes);
  }

  #evict(bytes: number): void {
    while (this.#doubles[HEAD]! + bytes - this.#doubles[TAIL]! > this.#ringBytes) {
      const place = this.#doubles[TAIL]!;
      const at = place % this.#ringBytes;
      const index = this.#ring.readUInt32LE(at + 4);
      const slot = this.#slotsAt + index * SLOT_WORDS;
      if (index !== NO_SLOT && this.#words[slot + LENGTH] !== 0 && this.#doubles[(slot + PLACE) / 2] === place) {
        this.#clear(slot);
        this.#words[EVICTED]! += 1;
      }
      this.#doubles[TAIL] = place + this.#ring.readUInt32LE(at);
    }
  }

  /** An empty one of the key's bucket, else that which lies longest. */
  #freeSlot(key: AnswerKey): number {
    const bucket = this.#bucket(key);
    let oldest = bucket;
    for (let slot = bucket; slot < bucket + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      if (this.#words[slot + LENGTH] === 0) return slot;
      if (this.#doubles[(slot + PLACE) / 2]! < this.#doubles[(oldest + PLACE) / 2]!) oldest = slot;
    }
    this.#clear(oldest);
    this.#words[EVICTED]! += 1;
    return oldest;
  }

  #clear(slot: number): void {
    this.#words[slot + LENGTH] = 0;
    this.#words[ENTRIES]! -= 1;
  }
}

function ringBytesOf(entry: Buffer): number {
  return Math.ceil((entry.length + RING_HEAD_BYTES) / ALIGN_BYTES) * ALIGN_BYTES;
}

function slotsFor(ringBytes: number): number {
  const wanted = Math.min(MAX_SLOTS, Math.max(MIN_SLOTS, ringBytes / BYTES_PER_SLOT));
  return ringBytes === 0 ? WAYS : 2 ** Math.ceil(Math.log2(wanted));
}
