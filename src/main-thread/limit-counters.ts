import type { ServerSettings } from '../config/server/server-settings.ts';
import type { CounterSettings } from '../config/server/store.ts';
import type { Log } from '../core/log.ts';
import { MemoryCounters, sharedCounts } from '../counters/memory-counters.ts';
import { RedisPresence } from '../counters/redis-presence.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { MainService } from './main-service.ts';

/** How often the counts look whether the wall clock was set, which begins days and months anew. */
const FOLLOW_WALL_MS = 1_000;
/** A smaller step is no set clock, but one that is kept right. */
const CLOCK_SET_MS = 10_000;

export interface LimitCountersOptions {
  readonly server: ServerSettings;
  readonly whenAway: () => CounterSettings['whenAway'];
  /** The wall clock was set: what was spent in the periods that hold by the new date is known to the database alone. */
  readonly onClockSet: () => void;
  readonly registry: MetricRegistry;
  readonly log: Log;
}

/** The main thread's side of what limits and budgets count: the memory that relay threads share, and who has lost Redis. */
export class LimitCounters implements MainService {
  readonly buffer: SharedArrayBuffer;
  readonly counts: MemoryCounters;
  readonly #presence: RedisPresence;
  readonly #followWall: NodeJS.Timeout;

  constructor({ server, whenAway, onClockSet, registry, log }: LimitCountersOptions) {
    this.buffer = sharedCounts({
      relayThreads: server.threads,
      maxCells: server.counters.maxCells,
      maxInFlight: server.limits.maxInFlight,
    });
    const counts = new MemoryCounters(this.buffer, server.threads);
    this.counts = counts;
    this.#presence = new RedisPresence(log, whenAway);
    this.#followWall = setInterval(() => {
      if (counts.clock.followWall(Date.now()) > CLOCK_SET_MS) onClockSet();
    }, FOLLOW_WALL_MS).unref();
    this.#register(registry);
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'counters-away') this.#presence.lost(message.thread, message.reason);
    else if (message.type === 'counters-back') this.#presence.found(message.thread);
  }

  threadDied(thread: number): void {
    this.counts.reclaim(thread);
    this.#presence.found(thread);
  }

  close(): void {
    clearInterval(this.#followWall);
  }

  #register(registry: MetricRegistry): void {
    registry.single(
      'gauge',
      'sluice_counters_away',
      'Whether a relay thread is without Redis, which limits are counted in: 1 or 0',
      () => (this.#presence.away ? 1 : 0),
    );
    registry.single(
      'gauge',
      'sluice_reservations_open',
      'Requests that hold something of a rate limit or a budget, over all threads',
      () => this.counts.openReservations,
    );
    registry.single(
      'counter',
      'sluice_counter_cells_overflowed_total',
      'Requests whose group found no room in counters.max_cells and was counted together with others of its rule',
      () => this.counts.overflowed,
    );
  }
}
