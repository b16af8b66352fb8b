import { LINE_INTS, LOCKS } from '../counters/shared-layout.ts';
import { StripeLocks } from '../counters/stripe-locks.ts';
import type { Task } from '../offload/tasks.ts';
import { differingLiteral, LITERAL_KINDS, type LiteralDigests, type LiteralKind } from './literal-guards.ts';
import type { AnswerKey } from './shared-answers.ts';

/*
 * Vectors of questions in memory that all relay threads share, each with the key of its answer: no text lies here. Their
 * number and bytes are bounded, and the newest takes the place of the oldest. Readers take no lock: what was written while
 * they read it is passed over. The operating system gives a page when it is first touched.
 *
 * header · locks · tags (one word each) · slots (20 words each) · vectors
 */

const DIMENSIONS = 0;
const NEXT = 1;
const ENTRIES = 2;
const HEADER_WORDS = 32;

/** Words of a slot. */
const VERSION = 0;
const FAMILY = 1;
const ANSWER = 5;
const SPACE = 9;
const ENDS_AT = 11;
const LITERALS = 12;
const SLOT_WORDS = 20;
const NUMBER_BYTES = 4;

/** A search returns the nearest four entries, since the answer of the nearest may have been evicted. */
const MAX_FOUND = 4;

/** Sixteen bytes of a digest of all of a request but its last text. */
export type FamilyKey = Int32Array;

export interface VectorEntry {
  readonly family: FamilyKey;
  readonly answer: AnswerKey;
  /** The space of its namespace. */
  readonly space: readonly [number, number];
  /** Since the Unix epoch. */
  readonly endsAtSeconds: number;
  readonly literals: LiteralDigests;
  /** A vector of length 1. */
  readonly vector: Float32Array;
}

export interface VectorQuestion {
  readonly family: FamilyKey;
  readonly vector: Float32Array;
  readonly literals: LiteralDigests;
  /** Cosine from which on two questions are alike. */
  readonly threshold: number;
  readonly nowSeconds: number;
}

export interface LikeAnswer {
  readonly answer: AnswerKey;
  readonly similarity: number;
}

export interface LikeAnswers {
  /** The nearest first. */
  readonly found: readonly LikeAnswer[];
  /** Cosine of the nearest question, alike or not; undefined: there is none. */
  readonly nearest: number | undefined;
  /** The literal in which one differs that is near enough, where none was found; undefined: there is none such. */
  readonly guard: LiteralKind | undefined;
}

export interface VectorBounds {
  readonly maxEntries: number;
  /** The bound of the vectors alone. */
  readonly maxBytes: number;
}

export class SharedVectors {
  readonly buffer: SharedArrayBuffer;
  readonly #bounds: VectorBounds;
  readonly #words: Int32Array;
  readonly #tags: Int32Array;
  readonly #slotsAt: number;
  readonly #numbers: Float32Array;
  readonly #locks: StripeLocks;

  /** `thread`: of whoever uses it, each its own. */
  constructor(bounds: VectorBounds, thread: number, buffer?: SharedArrayBuffer) {
    this.#bounds = bounds;
    const tagsAt = HEADER_WORDS + LOCKS * LINE_INTS;
    this.#slotsAt = tagsAt + bounds.maxEntries;
    const words = this.#slotsAt + bounds.maxEntries * SLOT_WORDS;
    const numbers = Math.floor(bounds.maxBytes / NUMBER_BYTES);
    this.buffer = buffer ?? new SharedArrayBuffer((words + numbers) * NUMBER_BYTES);
    this.#words = new Int32Array(this.buffer, 0, words);
    this.#tags = this.#words.subarray(tagsAt, this.#slotsAt);
    this.#numbers = new Float32Array(this.buffer, words * NUMBER_BYTES, numbers);
    const locks = this.#words.subarray(HEADER_WORDS, tagsAt);
    this.#locks = new StripeLocks({ locks, header: this.#words }, thread);
  }

  /** False: the vector is larger than all the room. One of the same family and answer is written over. */
  add(entry: VectorEntry): boolean {
    const dimensions = entry.vector.length;
    if (dimensions === 0 || this.#capacity(dimensions) === 0) return false;
    this.#locks.lock(1);
    // Another model makes vectors of another length: none of the old ones is of use.
    if (Atomics.load(this.#words, DIMENSIONS) !== dimensions) this.#begin(dimensions);
    this.#write(entry, this.#indexOf(entry) ?? this.#nextIndex(this.#capacity(dimensions)));
    this.#locks.unlock(1);
    return true;
  }

  /** How many numbers a search for it has to multiply. */
  effort({ family }: Pick<VectorQuestion, 'family'>): number {
    return this.#candidates(family).length * Atomics.load(this.#words, DIMENSIONS);
  }

  search({ family, vector, literals, threshold, nowSeconds }: VectorQuestion): LikeAnswers {
    const found: LikeAnswer[] = [];
    let nearest: number | undefined;
    let guarded: { readonly similarity: number; readonly guard: LiteralKind } | undefined;
    if (Atomics.load(this.#words, DIMENSIONS) === vector.length) {
      for (const index of this.#candidates(family)) {
        const read = this.#read(index, family, vector, nowSeconds);
        if (read === undefined) continue;
        const { similarity } = read;
        if (nearest === undefined || similarity > nearest) nearest = similarity;
        if (similarity < threshold) continue;
        const guard = differingLiteral(read.literals, literals);
        if (guard === undefined) found.push({ answer: read.answer, similarity });
        else if (guarded === undefined || similarity > guarded.similarity) guarded = { similarity, guard };
      }
    }
    found.sort((one, other) => other.similarity - one.similarity);
    return { found: found.slice(0, MAX_FOUND), nearest, guard: found.length === 0 ? guarded?.guard : undefined };
  }

  /** Undefined `space`: all. Gives how many went. */
  flush(space?: readonly [number, number]): number {
    let dropped = 0;
    this.#locks.lock(1);
    for (let index = 0; index < this.#bounds.maxEntries; index += 1) {
      const slot = this.#slotOf(index);
      if (this.#words[slot + VERSION] === 0) continue;
      const isOf =
        space === undefined || (this.#words[slot + SPACE] === space[0] && this.#words[slot + SPACE + 1] === space[1]);
      if (!isOf) continue;
      this.#clear(index);
      dropped += 1;
    }
    this.#locks.unlock(1);
    return dropped;
  }

  get entries(): number {
    return Atomics.load(this.#words, ENTRIES);
  }

  get usedBytes(): number {
    return this.entries * Atomics.load(this.#words, DIMENSIONS) * NUMBER_BYTES;
  }

  get bounds(): VectorBounds {
    return this.#bounds;
  }

  /** The main thread, after `thread` died: what it held is free. */
  release(thread: number): void {
    this.#locks.release(thread);
  }

  #capacity(dimensions: number): number {
    return Math.min(this.#bounds.maxEntries, Math.floor(this.#numbers.length / dimensions));
  }

  #slotOf(index: number): number {
    return this.#slotsAt + index * SLOT_WORDS;
  }

  /** Those that may be of the family. Their tags lie side by side: a walk over ten thousand takes some microseconds. */
  #candidates(family: FamilyKey): number[] {
    const tag = tagOf(family);
    const list: number[] = [];
    for (let index = this.#tags.indexOf(tag); index >= 0; index = this.#tags.indexOf(tag, index + 1)) list.push(index);
    return list;
  }

  /** Undefined: it is another family's, is over, or was written meanwhile. */
  #read(
    index: number,
    family: FamilyKey,
    vector: Float32Array,
    nowSeconds: number,
  ): (LikeAnswer & { readonly literals: LiteralDigests }) | undefined {
    const words = this.#words;
    const slot = this.#slotOf(index);
    const version = Atomics.load(words, slot + VERSION);
    if (version === 0 || (version & 1) === 1 || words[slot + ENDS_AT]! <= nowSeconds) return undefined;
    if (!holds(words, slot + FAMILY, family)) return undefined;
    const similarity = product(this.#numbers, index * vector.length, vector);
    const answer = words.slice(slot + ANSWER, slot + ANSWER + 4);
    const literals = words.slice(slot + LITERALS, slot + LITERALS + LITERAL_KINDS.length);
    return Atomics.load(words, slot + VERSION) === version ? { similarity, answer, literals } : undefined;
  }

  // ── under the lock ────────────────────────────────────────────────────────

  #begin(dimensions: number): void {
    for (let index = 0; index < this.#bounds.maxEntries; index += 1) this.#clear(index);
    Atomics.store(this.#words, NEXT, 0);
    Atomics.store(this.#words, DIMENSIONS, dimensions);
  }

  #indexOf({ family, answer }: VectorEntry): number | undefined {
    return this.#candidates(family).find((index) => {
      const slot = this.#slotOf(index);
      return holds(this.#words, slot + FAMILY, family) && holds(this.#words, slot + ANSWER, answer);
    });
  }

  #nextIndex(capacity: number): number {
    const next = this.#words[NEXT]! % capacity;
    this.#words[NEXT] = next + 1;
    return next;
  }

  /** An odd version says that it is being written; it stays so if its writer dies, until the next one comes. */
  #write({ family, answer, space, endsAtSeconds, literals, vector }: VectorEntry, index: number): void {
    const words = this.#words;
    const slot = this.#slotOf(index);
    const before = words[slot + VERSION]!;
    if (this.#tags[index] === 0) Atomics.add(words, ENTRIES, 1);
    Atomics.store(words, slot + VERSION, before | 1);
    words.set(family, slot + FAMILY);
    words.set(answer, slot + ANSWER);
    words.set(space, slot + SPACE);
    words[slot + ENDS_AT] = endsAtSeconds;
    words.set(literals, slot + LITERALS);
    this.#numbers.set(vector, index * vector.length);
    this.#tags[index] = tagOf(family);
    Atomics.store(words, slot + VERSION, ((before | 1) + 1) & 0x7fff_fffe || 2);
  }

  #clear(index: number): void {
    const slot = this.#slotOf(index);
    if (this.#tags[index] !== 0) Atomics.sub(this.#words, ENTRIES, 1);
    Atomics.store(this.#words, slot + VERSION, 0);
    this.#tags[index] = 0;
  }
}

/** 0 says that a slot is empty. */
function tagOf(family: FamilyKey): number {
  return family[0]! || 1;
}

function holds(words: Int32Array, at: number, key: Int32Array): boolean {
  return words[at] === key[0] && words[at + 1] === key[1] && words[at + 2] === key[2] && words[at + 3] === key[3];
}

/** Four sums at once: one would wait for itself. */
function product(numbers: Float32Array, at: number, vector: Float32Array): number {
  const { length } = vector;
  let [a, b, c, d] = [0, 0, 0, 0];
  let index = 0;
  for (; index + 3 < length; index += 4) {
    a += numbers[at + index]! * vector[index]!;
    b += numbers[at + index + 1]! * vector[index + 1]!;
    c += numbers[at + index + 2]! * vector[index + 2]!;
    d += numbers[at + index + 3]! * vector[index + 3]!;
  }
  for (; index < length; index += 1) a += numbers[at + index]! * vector[index]!;
  return a + b + c + d;
}

/** The vector, scaled to length 1; undefined: it has no length, or a number of it is not finite. */
export function unitVector(numbers: readonly number[]): Float32Array | undefined {
  let sum = 0;
  for (const each of numbers) sum += each * each;
  const length = Math.sqrt(sum);
  return length > 0 && Number.isFinite(length) ? Float32Array.from(numbers, (each) => each / length) : undefined;
}

export interface VectorSearch extends VectorQuestion {
  readonly buffer: SharedArrayBuffer;
  readonly bounds: VectorBounds;
}

/** A search that would keep streams waiting. */
export const searchVectorsTask: Task<VectorSearch, LikeAnswers> = { name: 'search-vectors' };

/** It only reads: no thread's number is needed. */
export function searchVectors({ buffer, bounds, ...question }: VectorSearch): LikeAnswers {
  return new SharedVectors(bounds, 0, buffer).search(question);
}
