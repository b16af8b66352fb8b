import type { Buffer } from 'node:buffer';
import type { RuledCache } from '../config/rules/caching.ts';
import type { CacheLimits } from '../config/server/cache.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Exchange } from '../core/exchange.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import { type CacheKey, remotePrefix } from './cache-key.ts';
import { type CachedAnswer, decodeAnswer, encodeAnswer } from './cached-answer.ts';
import { Flight } from './flight.ts';
import { type KnownRequest, KnownRequests } from './known-requests.ts';
import type { RemoteFlights } from './remote-flights.ts';
import type { SemanticIndex } from './semantic-index.ts';
import type { AnswerKey, SharedAnswers } from './shared-answers.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** Answers of other gateways as well. Every call answers within its deadline. */
export interface RemoteAnswers {
  /** Undefined: there is none; `away`: nobody answers. */
  get(key: string): Promise<Buffer | 'away' | undefined>;
  /** Nobody waits for it; what cannot be kept is not. */
  set(key: string, entry: Buffer, ttlMs: number): void;
}

export interface AnswerCacheOptions {
  readonly memory: SharedAnswers;
  readonly remote: RemoteAnswers | undefined;
  readonly sharedMemory: SharedMemory;
  /** Which answers are those of questions that are like one; absent: only equal requests are alike. */
  readonly semantic?: SemanticIndex;
  /** Answers on their way in other relay threads; absent: there is one thread. */
  readonly elsewhere?: RemoteFlights | undefined;
}

/** `place`: in the memory of all threads; undefined: it is not from there. */
export interface FoundAnswer {
  readonly answer: CachedAnswer;
  readonly place: number | undefined;
}

export type Found = FoundAnswer | 'away' | undefined;

/** The cached answers of one relay thread: those that all threads share, and those that are on their way in this one. */
export class AnswerCache {
  /** Requests that this thread knows. */
  readonly known = new KnownRequests();
  readonly #options: AnswerCacheOptions;
  readonly #flights = new Map<string, Flight>();

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
  }

  get semantic(): SemanticIndex | undefined {
    return this.#options.semantic;
  }

  /** At once from memory; from Redis as a promise. */
  find(key: CacheKey): Found | Promise<Found> {
    const { memory, remote } = this.#options;
    const now = Date.now();
    const placed = memory.get(key.words, Math.floor(now / 1000));
    const answer = placed && goodAnswer(placed.entry, now);
    if (answer !== undefined) return { answer, place: placed!.place };
    if (remote === undefined) return undefined;
    return remote.get(remoteKey(key)).then((value) => {
      if (value === undefined || value === 'away') return value;
      const answer = goodAnswer(value, Date.now());
      if (answer === undefined) return undefined;
      // The next one finds it here.
      memory.set(key.words, value, Math.floor(answer.about.expiresAt / 1000), key.space);
      return { answer, place: undefined };
    });
  }

  /** What was found for a request with the same bytes, while it is what `find` would find. */
  findAgain({ key, held }: KnownRequest): StoredAnswer | undefined {
    const now = Date.now();
    const isGood = held.stored.expiresAt > now;
    return isGood && this.#options.memory.isStill(key.words, held.place, Math.floor(now / 1000))
      ? held.stored
      : undefined;
  }

  /** Some answer is on its way that others may join. */
  get hasFlights(): boolean {
    return this.#flights.size > 0;
  }

  flight(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  /**
   * An answer that is on its way in another thread; undefined: it is to be asked for. `claimed` in its place: others wait for
   * this thread to ask, so that `lead` or `unclaim` has to follow.
   */
  elsewhere(
    words: AnswerKey,
    key: string,
    exchange: Exchange,
    settings: ServerSettings,
  ): Flight | 'claimed' | undefined {
    const { elsewhere } = this.#options;
    const leader = elsewhere?.claim(words, key);
    if (elsewhere === undefined || leader === undefined) return undefined;
    if (leader === true) return 'claimed';
    const flight = this.#newFlight(key, exchange, settings, (over) => {
      if (over.isOver) elsewhere.forget(over);
    });
    elsewhere.follow(leader, key, flight);
    return flight;
  }

  /** Nobody asks for what was claimed. */
  unclaim(key: string): void {
    this.#options.elsewhere?.unclaim(key);
  }

  /** `key`: undefined: nobody may join. */
  lead(key: string | undefined, exchange: Exchange, settings: ServerSettings): Flight {
    const { elsewhere } = this.#options;
    const flight = this.#newFlight(key, exchange, settings, (over) => {
      if (key !== undefined) elsewhere?.over(key, over);
    });
    if (key !== undefined) elsewhere?.begin(key, flight);
    return flight;
  }

  #newFlight(
    key: string | undefined,
    exchange: Exchange,
    { cache, limits }: ServerSettings,
    onOver: (flight: Flight) => void,
  ): Flight {
    const flight = new Flight({
      onOver: (over) => {
        if (key !== undefined && this.#flights.get(key) === over) this.#flights.delete(key);
        onOver(over);
      },
      memory: new HeldMemory(this.#options.sharedMemory, limits.maxBodyMemoryBytes),
      maxEntryBytes: cache.maxEntryBytes,
      maxBytes: Math.max(cache.maxEntryBytes, limits.maxTranslateBytes),
      exchange: exchange.id,
    });
    if (key !== undefined) this.#flights.set(key, flight);
    return flight;
  }

  /** False: it is not kept. */
  keep(key: CacheKey, flight: Flight, kept: Kept): boolean {
    const { whole: recording, contentType } = flight;
    if (recording === undefined || contentType === undefined || recording.length === 0) return false;
    if (kept.unfinished.some((text) => recording.bytes.includes(text))) return false;
    const now = Date.now();
    const { ttlMs, namespace } = kept.settings;
    const entry = encodeAnswer(recording, {
      target: flight.target,
      contentType,
      stream: flight.isStream,
      storedAt: now,
      expiresAt: now + ttlMs,
      namespace,
      exchange: flight.exchange,
      nanoUsd: flight.nanoUsd,
    });
    if (entry.length > kept.limits.maxEntryBytes) return false;
    this.#options.remote?.set(remoteKey(key), entry, ttlMs);
    return this.#options.memory.set(key.words, entry, Math.ceil((now + ttlMs) / 1000), key.space);
  }
}

export interface Kept {
  readonly settings: Pick<RuledCache, 'ttlMs' | 'namespace'>;
  readonly limits: CacheLimits;
  /** See CachedForm. */
  readonly unfinished: readonly string[];
}

function goodAnswer(entry: Buffer, now: number): CachedAnswer | undefined {
  const answer = decodeAnswer(entry);
  return answer !== undefined && answer.about.expiresAt > now ? answer : undefined;
}

/** With the number of the namespace, by which all of it can be found and dropped. */
function remoteKey({ text, space }: CacheKey): string {
  return `${remotePrefix(space)}${text}`;
}
