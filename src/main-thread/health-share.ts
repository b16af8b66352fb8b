import { randomBytes } from 'node:crypto';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import { exchangeHealth, type HealthAnswer, type ToldCircuit } from '../counters/redis-health.ts';
import type { RedisValues } from '../counters/redis-values.ts';
import { AGREED, ALONE, Circuit } from '../routing/circuit.ts';
import type { HealthMemory } from '../routing/place.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { MainService } from './main-service.ts';

/** How long a permit to probe lasts: a gateway that ends delays the probes of others no longer. */
const PERMIT_MS = 5_000;
/** A permit counts as over here so long before it is in Redis. */
const MARGIN_MS = 500;
/** How long a request that met an unavailable target counts as a wish for a probe. */
const WANTED_WITHIN_MS = 2_000;
/** The most changes and wishes in one question; the next one brings the rest. */
const MAX_TOLD = 500;

export interface HealthShareOptions {
  readonly memory: HealthMemory;
  readonly configuration: () => Configuration;
  readonly log: Log;
}

/** `off`: there is no Redis to share by, or `routing.share_ms` is 0. */
export type Sharing = 'off' | 'shared' | 'away';

/**
 * Tells other gateways on the same Redis what is out here, and writes what they tell into the memory that relay threads
 * read: no request waits for it. While Redis is away each gateway goes by what it knows itself.
 */
export class HealthShare implements MainService {
  readonly #options: HealthShareOptions;
  readonly #by = randomBytes(8).toString('hex');
  readonly #circuits = new Map<string, Circuit>();
  /** By digest, the number of the last change that others were told. */
  readonly #told = new Map<string, number>();
  #redis: RedisValues | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #since = 0;
  #closed = false;

  constructor(options: HealthShareOptions) {
    this.#options = options;
    this.reconfigure();
  }

  get sharing(): Sharing {
    if (this.#timer === undefined) return 'off';
    return Atomics.load(this.#options.memory.agreement, 0) === AGREED ? 'shared' : 'away';
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'gauge',
      'sluice_target_health_shared',
      'Whether gateways agree by Redis on which targets are out; absent: there is none, or routing.share_ms is 0',
      () => (this.sharing === 'off' ? [] : [{ labels: {}, value: this.sharing === 'shared' ? 1 : 0 }]),
    );
  }

  reconfigure(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const { store, routing } = this.#options.configuration().server;
    if (store.counters === 'memory' || routing.shareMs === 0) {
      this.#agree(ALONE);
      return;
    }
    this.#timer = setInterval(() => void this.#exchange(), routing.shareMs).unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#redis?.close();
  }

  async #exchange(): Promise<void> {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    try {
      while (await this.#once());
    } catch (error) {
      // A fault of ours must not leave threads waiting for permits that nobody gives.
      this.#agree(ALONE);
      this.#options.log.error({ error }, 'target health could not be shared');
    } finally {
      this.#asking = false;
    }
  }

  /** True: there is more to tell or to hear. */
  async #once(): Promise<boolean> {
    const { memory, configuration } = this.#options;
    this.#find();
    const redis = await this.#connected();
    if (!redis.up || this.#closed) return false;
    const askedAt = memory.now();
    const changes: (ToldCircuit & { readonly change: number })[] = [];
    const wanted: string[] = [];
    const { shareMs } = configuration().server.routing;
    for (const [digest, circuit] of this.#circuits) {
      const change = circuit.changes;
      if (change !== this.#told.get(digest) && changes.length < MAX_TOLD)
        changes.push({ digest, change, ...circuit.told(askedAt) });
      if (wanted.length < MAX_TOLD && circuit.wantsPermit(askedAt, 2 * shareMs, WANTED_WITHIN_MS)) wanted.push(digest);
    }
    const question = { by: this.#by, since: this.#since, changes, wanted, permitMs: PERMIT_MS };
    const answer = await exchangeHealth(redis, question);
    if (answer === 'away') {
      this.#agree(ALONE);
      return false;
    }
    for (const { digest, change } of changes) this.#told.set(digest, change);
    this.#hear(answer, wanted, askedAt);
    return answer.more || changes.length === MAX_TOLD;
  }

  #hear({ version, entries, permitted }: HealthAnswer, wanted: readonly string[], askedAt: number): void {
    const { memory } = this.#options;
    const forgotten = version < this.#since;
    this.#since = version;
    if (forgotten) this.#beginAnew();
    const now = memory.now();
    for (const { digest, ...told } of entries) {
      const circuit = this.#circuits.get(digest);
      // A change of our own meanwhile is told next, and wins.
      if (circuit === undefined || circuit.changes !== this.#told.get(digest)) continue;
      circuit.hear(told, now);
    }
    for (const digest of wanted)
      this.#circuits.get(digest)!.permit(askedAt, permitted.has(digest) ? PERMIT_MS - MARGIN_MS : 0);
    this.#agree(AGREED);
  }

  /** Circuits that a configuration has claimed since: what others told of them is heard from the beginning. */
  #find(): void {
    const { memory, configuration } = this.#options;
    for (const [digest, at] of memory.circuits.claimed()) {
      if (this.#circuits.has(digest)) continue;
      const circuit = new Circuit(memory.circuits, at, configuration().server.routing);
      this.#circuits.set(digest, circuit);
      this.#forget(digest);
      this.#since = 0;
    }
  }

  /** Redis may have forgotten what it was told: it is told again with the next question. */
  #beginAnew(): void {
    this.#since = 0;
    for (const digest of this.#circuits.keys()) this.#forget(digest);
  }

  /** A circuit that never was out has nothing to tell. */
  #forget(digest: string): void {
    const { out, recoveredSinceMs } = this.#circuits.get(digest)!.told(this.#options.memory.now());
    if (out || recoveredSinceMs !== undefined) this.#told.delete(digest);
    else this.#told.set(digest, this.#circuits.get(digest)!.changes);
  }

  #agree(agreement: typeof ALONE | typeof AGREED): void {
    Atomics.store(this.#options.memory.agreement, 0, agreement);
  }

  async #connected(): Promise<RedisValues> {
    if (this.#redis !== undefined) return this.#redis;
    const { RedisValues } = await import('../counters/redis-values.ts');
    const { configuration, log } = this.#options;
    this.#redis = new RedisValues({
      url: configuration().server.store.counters,
      timeoutMs: () => configuration().server.counters.timeoutMs,
      onAway: (reason) => {
        this.#agree(ALONE);
        log.warn({ reason }, 'target health is not shared, since Redis is away: each gateway goes by its own');
      },
      onBack: () => {
        this.#beginAnew();
        log.info({}, 'target health is shared again');
      },
    });
    await this.#redis.start();
    return this.#redis;
  }
}
