import type { CounterSettings } from '../config/server/store.ts';
import type { Log } from '../core/log.ts';

const MEANS: Record<CounterSettings['whenAway'], string> = {
  local: 'limits are counted on this machine alone',
  closed: 'requests under a limit are refused',
  open: 'limits let everything through',
};

/** On the main thread: one line when the first relay thread has lost Redis, one when the last has it back. */
export class RedisPresence {
  readonly #log: Log;
  readonly #whenAway: () => CounterSettings['whenAway'];
  readonly #without = new Set<number>();

  constructor(log: Log, whenAway: () => CounterSettings['whenAway']) {
    this.#log = log;
    this.#whenAway = whenAway;
  }

  get away(): boolean {
    return this.#without.size > 0;
  }

  lost(thread: number, reason: string): void {
    if (!this.away) {
      const setting = this.#whenAway();
      this.#log.warn(
        { code: 'counters_away', reason, setting: `counters.when_away: ${setting}` },
        `Redis (store.counters) is away: ${MEANS[setting]}`,
      );
    }
    this.#without.add(thread);
  }

  found(thread: number): void {
    if (this.#without.delete(thread) && !this.away)
      this.#log.info({ code: 'counters_back' }, 'Redis (store.counters) is back');
  }
}
