import { Buffer } from 'node:buffer';
import type { SemanticCacheLimits } from '../config/server/cache.ts';
import type { Exchange } from '../core/exchange.ts';
import { type CacheKey, remotePrefix } from './cache-key.ts';
import { LITERAL_KINDS } from './literal-guards.ts';
import type { SemanticRequest } from './semantic-request.ts';
import {
  type LikeAnswers,
  type SharedVectors,
  unitVector,
  type VectorEntry,
  type VectorSearch,
} from './shared-vectors.ts';

/** Why a text has no vector. `late`: not within its time. `busy`: too many are asked for. `failed`: there is none. */
export type NoVector = 'late' | 'busy' | 'failed';

/** Asks a model for the vector of a text. */
export interface PromptVectors {
  /** Name of the model; undefined: there is none, and only equal requests are alike. */
  readonly model: string | undefined;
  vectorOf(exchange: Exchange, text: string): Promise<readonly number[] | NoVector>;
}

/** Vectors of other gateways. Every call answers within its deadline. */
export interface RemoteVectors {
  /** Adds to the end of a list that keeps so many. Nobody waits for it. */
  append(key: string, value: Buffer, maxLength: number, ttlMs: number): void;
  /** What was added behind `after`, or the newest; at most so many. */
  behind(key: string, after: string | undefined, count: number): Promise<Appended | 'away'>;
}

export interface Appended {
  readonly values: readonly Buffer[];
  /** The stream id of the last value; undefined: there are no values. */
  readonly last: string | undefined;
}

export interface SemanticIndexOptions {
  readonly memory: SharedVectors;
  readonly remote: RemoteVectors | undefined;
  readonly vectors: PromptVectors;
  /** Undefined: it could not be done in time. */
  searchElsewhere(search: VectorSearch): Promise<LikeAnswers | undefined>;
}

/** What a question is like. */
export interface Likeness extends LikeAnswers {
  readonly vector: Float32Array;
}

/** Numbers that are multiplied in less than half a millisecond; a search with more of them is for another thread. */
const MAX_NUMBERS_HERE = 262_144;
/** Families whose end in Redis is remembered. */
const MAX_FOLLOWED = 10_000;
/** As long as the longest answer is good. */
const REMOTE_TTL_MS = 259_200_000;
const FORM = 1;
const HEAD_BYTES = 1 + 16 + 4 + 4 * LITERAL_KINDS.length;

/** Which answers belong to questions that are like one. Of one relay thread; vectors in memory are those of all. */
export class SemanticIndex {
  readonly #options: SemanticIndexOptions;
  readonly #followed = new Map<string, string>();
  /** Vectors that are asked for, by who and what. */
  readonly #asked = new Map<string, Promise<readonly number[] | NoVector>>();

  constructor(options: SemanticIndexOptions) {
    this.#options = options;
  }

  get model(): string | undefined {
    return this.#options.vectors.model;
  }

  async find(
    exchange: Exchange,
    { family, text, literals }: SemanticRequest,
    { space }: CacheKey,
    threshold: number,
  ): Promise<Likeness | NoVector> {
    const [numbers] = await Promise.all([this.#numbersOf(exchange, text), this.#follow(family, space)]);
    if (typeof numbers === 'string') return numbers;
    const vector = unitVector(numbers);
    if (vector === undefined) return 'failed';
    const { memory } = this.#options;
    const question = { family, vector, literals, threshold, nowSeconds: Math.floor(Date.now() / 1000) };
    if (memory.effort(question) <= MAX_NUMBERS_HERE) return { ...memory.search(question), vector };
    const { buffer, bounds } = memory;
    const found = await this.#options.searchElsewhere({ ...question, buffer, bounds });
    return found === undefined ? 'late' : { ...found, vector };
  }

  add(request: SemanticRequest, vector: Float32Array, key: CacheKey, ttlMs: number, limits: SemanticCacheLimits): void {
    const { family, literals } = request;
    const endsAtSeconds = Math.ceil((Date.now() + ttlMs) / 1000);
    const entry = { family, answer: key.words, space: key.space, endsAtSeconds, literals, vector };
    this.#options.memory.add(entry);
    this.#options.remote?.append(remoteKey(family, key.space), encode(entry), limits.maxRedisEntries, REMOTE_TTL_MS);
  }

  /** Equal texts of one caller at the same time are asked for once. */
  #numbersOf(exchange: Exchange, text: string): Promise<readonly number[] | NoVector> {
    const key = `${exchange.principal.subject}\n${text}`;
    const known = this.#asked.get(key);
    if (known !== undefined) return known;
    const asked = this.#options.vectors.vectorOf(exchange, text).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }

  /** What other gateways added meanwhile goes into memory, where it is searched. Redis that is away brings nothing. */
  async #follow(family: Int32Array, space: readonly [number, number]): Promise<void> {
    const { remote, memory } = this.#options;
    if (remote === undefined) return;
    const key = remoteKey(family, space);
    const news = await remote.behind(key, this.#followed.get(key), MAX_FOLLOWED_AT_ONCE);
    if (news === 'away' || news.last === undefined) return;
    if (this.#followed.size >= MAX_FOLLOWED) this.#followed.clear();
    this.#followed.set(key, news.last);
    for (const value of news.values) {
      const entry = decode(value, family, space);
      if (entry !== undefined) memory.add(entry);
    }
  }
}

/** One poll of Redis reads at most so many entries: 6 MB of vectors with 1,536 numbers each. */
const MAX_FOLLOWED_AT_ONCE = 1_024;

/** Below the namespace, with which it is dropped. */
function remoteKey(family: Int32Array, space: readonly [number, number]): string {
  return `${remotePrefix(space)}like:${Buffer.from(family.buffer, family.byteOffset, family.byteLength).toString('hex')}`;
}

/** `[form · answer · end · literals] [numbers]`, lowest byte first. */
function encode({ answer, endsAtSeconds, literals, vector }: VectorEntry): Buffer {
  const value = Buffer.allocUnsafe(HEAD_BYTES + 4 * vector.length);
  let at = value.writeUInt8(FORM, 0);
  for (const word of answer) at = value.writeInt32LE(word, at);
  at = value.writeUInt32LE(endsAtSeconds, at);
  for (const word of literals) at = value.writeInt32LE(word, at);
  for (const number of vector) at = value.writeFloatLE(number, at);
  return value;
}

/** Undefined: it is no entry of this form. */
function decode(value: Buffer, family: Int32Array, space: readonly [number, number]): VectorEntry | undefined {
  const numbers = (value.length - HEAD_BYTES) / 4;
  if (numbers < 1 || !Number.isInteger(numbers) || value[0] !== FORM) return undefined;
  const words = (from: number, count: number) =>
    Int32Array.from({ length: count }, (_, index) => value.readInt32LE(from + 4 * index));
  const vector = Float32Array.from({ length: numbers }, (_, index) => value.readFloatLE(HEAD_BYTES + 4 * index));
  const endsAtSeconds = value.readUInt32LE(17);
  return { family, answer: words(1, 4), space, endsAtSeconds, literals: words(21, LITERAL_KINDS.length), vector };
}
