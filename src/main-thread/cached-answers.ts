import type { MessagePort } from 'node:worker_threads';
import { remotePrefix, spaceOf } from '../cache/cache-key.ts';
import { aboutOf } from '../cache/cached-answer.ts';
import { FlightClaims } from '../cache/flight-claims.ts';
import { SharedAnswers } from '../cache/shared-answers.ts';
import { SharedVectors } from '../cache/shared-vectors.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { RedisValues } from '../counters/redis-values.ts';
import type { CacheSight } from '../operator/admin/cache.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { FromRelayThread, ToRelayThread } from '../threads/messages.ts';
import type { MainService } from './main-service.ts';

/** The bound of a list that people read. */
const MAX_NAMESPACES = 1_000;

export interface CachedAnswersOptions {
  readonly configuration: () => Configuration;
  readonly log: Log;
  tell(thread: number, message: ToRelayThread, transfer: readonly MessagePort[]): void;
}

/** The main thread's side of cached answers: the memory that relay threads share, and what operators see and flush of it. */
export class CachedAnswers implements MainService, CacheSight {
  readonly #options: CachedAnswersOptions;
  readonly #memory: SharedAnswers;
  readonly #vectors: SharedVectors;
  readonly #claims: FlightClaims;
  readonly #away = new Set<number>();
  #redis: RedisValues | undefined;

  constructor(options: CachedAnswersOptions) {
    this.#options = options;
    const { cache, threads } = options.configuration().server;
    this.#memory = new SharedAnswers(cache.maxBytes, threads);
    this.#vectors = new SharedVectors(cache.semantic, threads);
    this.#claims = new FlightClaims(threads);
  }

  get vectorBuffer(): SharedArrayBuffer {
    return this.#vectors.buffer;
  }

  get claimBuffer(): SharedArrayBuffer {
    return this.#claims.buffer;
  }

  get buffer(): SharedArrayBuffer {
    return this.#memory.buffer;
  }

  get hasRedis(): boolean {
    return this.#options.configuration().server.store.cache !== 'memory';
  }

  view(): object {
    const now = Math.floor(Date.now() / 1000);
    const spaces = new Map<string, { namespace: string | null; entries: number; bytes: number }>();
    for (const { bytes, space, entry } of this.#memory.slots(now)) {
      const name = space.join(' ');
      let sum = spaces.get(name);
      if (sum === undefined) {
        sum = { namespace: (entry && aboutOf(entry)?.namespace) ?? null, entries: 0, bytes: 0 };
        spaces.set(name, sum);
      }
      sum.entries += 1;
      sum.bytes += bytes;
    }
    const { entries, usedBytes, maxBytes, evicted, stored } = this.#memory.memory();
    const largest = [...spaces.values()].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_NAMESPACES);
    return {
      entries,
      used_bytes: usedBytes,
      max_bytes: maxBytes,
      stored,
      evicted,
      namespaces: largest,
      vectors: {
        entries: this.#vectors.entries,
        used_bytes: this.#vectors.usedBytes,
        max_entries: this.#vectors.bounds.maxEntries,
        max_bytes: this.#vectors.bounds.maxBytes,
      },
      redis: this.hasRedis ? (this.#away.size === 0 ? 'up' : 'away') : null,
    };
  }

  async flush(namespace: string | undefined): Promise<{ memory: number; redis: number | undefined }> {
    const space = namespace === undefined ? undefined : spaceOf(namespace);
    // First Redis: what is dropped here alone would come back from there.
    const redis = this.hasRedis ? await (await this.#connected()).drop(remotePrefix(space)) : undefined;
    this.#vectors.flush(space);
    return { memory: this.#memory.flush(space), redis };
  }

  register(registry: MetricRegistry): void {
    const gauge = (name: string, help: string, read: () => number): void =>
      registry.family('gauge', name, help, () => [{ labels: {}, value: read() }]);
    gauge('sluice_cache_entries', 'Answers in the memory of the cache', () => this.#memory.memory().entries);
    gauge('sluice_cache_used_bytes', 'Memory that cached answers take', () => this.#memory.memory().usedBytes);
    gauge('sluice_cache_vectors', 'Questions in the memory of the semantic cache', () => this.#vectors.entries);
    gauge('sluice_cache_vector_bytes', 'Memory that their vectors take', () => this.#vectors.usedBytes);
    registry.family('counter', 'sluice_cache_evicted_total', 'Cached answers whose room newer ones needed', () => [
      { labels: {}, value: this.#memory.memory().evicted },
    ]);
    registry.family(
      'gauge',
      'sluice_cache_redis_up',
      'Whether Redis answers for the cache; absent: there is none',
      () => (this.hasRedis ? [{ labels: {}, value: this.#away.size === 0 ? 1 : 0 }] : []),
    );
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'flight-port-to') {
      const { to, port } = message;
      this.#options.tell(to, { type: 'flight-port', port }, [port]);
    } else if (message.type === 'cache-away') {
      if (this.#away.size === 0) {
        this.#options.log.warn(
          { reason: message.reason },
          'the Redis of the cache does not answer: its answers are asked for again',
        );
      }
      this.#away.add(message.thread);
    } else if (message.type === 'cache-back' && this.#away.delete(message.thread) && this.#away.size === 0) {
      this.#options.log.info({}, 'the Redis of the cache answers again');
    }
  }

  threadDied(thread: number): void {
    this.#memory.release(thread);
    this.#vectors.release(thread);
    this.#away.delete(thread);
    this.#claims.releaseAll(thread);
  }

  close(): void {
    this.#redis?.close();
  }

  /** Only operators that flush need a connection here. */
  async #connected(): Promise<RedisValues> {
    if (this.#redis === undefined) {
      const { RedisValues } = await import('../counters/redis-values.ts');
      const { configuration } = this.#options;
      this.#redis = new RedisValues({
        url: configuration().server.store.cache,
        // A sweep over many keys is no question of a request.
        timeoutMs: () => 10 * configuration().server.cache.timeoutMs,
        onAway: () => {},
        onBack: () => {},
      });
    }
    if (!this.#redis.up) await this.#redis.start();
    return this.#redis;
  }
}
