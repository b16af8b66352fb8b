import type { Call } from './redis-connection.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisReservation } from './redis-reservation.ts';
import { SETTLE } from './redis-scripts.ts';
import { cellKey, windowArgument } from './redis-words.ts';

/** The bound of exchanges that were under way when Redis went: as many as may be open, with a few limits each. */
const MAX_KEPT = 65_536;
/** Legs of one command: each step of Redis must stay short for all who wait behind it. */
const SETTLED_AT_ONCE = 100;

const IGNORED: Call = { answered: () => {}, lost: () => {} };

/** Where it is known what was spent while Redis was away. `redis`: nowhere else, so it is told when it is back. */
export type BudgetTruth = 'database' | 'redis';

interface Settlement {
  readonly key: string;
  readonly window: string;
  readonly reserved: number;
  readonly takenAt: number;
  readonly actual: number;
  readonly endedAtMs: number;
}

/**
 * Settlements on their way to Redis: sent once a turn, many in one command; nobody waits for them. While Redis is away
 * they are kept, within a bound. A settlement that was sent and not answered is not sent again: it might count twice. A budget
 * that misses it is made good from the database (redis-budget-seed.ts); a rate keeps the estimate until it has left the window.
 */
export class RedisSettlements {
  readonly #link: RedisLink;
  readonly #truth: BudgetTruth;
  #waiting: Settlement[] = [];
  #scheduled = false;
  /** Kept no longer, because too many waited. */
  dropped = 0;

  constructor(link: RedisLink, truth: BudgetTruth) {
    this.#link = link;
    this.#truth = truth;
  }

  add({ legs, amounts, takenAt }: RedisReservation, actual: readonly number[], endedAtMs: number): void {
    for (let index = 0; index < legs.length; index += 1) {
      const { cell } = legs[index]!;
      const sliding = cell.window.kind === 'sliding';
      const held = amounts[index]!;
      const used = actual[index] ?? 0;
      const taken = takenAt[index]!;
      // Most requests use what was reserved for them: one.
      if (sliding ? taken === 0 || used === held : held === 0 && used === 0) continue;
      if (!sliding && !this.#link.up && (cell.window.kind === 'open' || this.#truth === 'database')) continue;
      // A new owner holds what was open when it came; while there is none, there is nothing to give back.
      const reserved = sliding || this.#link.up ? held : 0;
      const window = windowArgument(cell);
      this.#keep({ key: cellKey(cell), window, reserved, takenAt: taken, actual: used, endedAtMs });
    }
    this.#schedule();
  }

  /** What was held and not used: a part of a lease, a place among those that are open. */
  giveBack(key: string, window: string, amount: number, takenAt: number): void {
    if (amount <= 0 || !this.#link.up) return;
    this.#keep({ key, window, reserved: amount, takenAt, actual: 0, endedAtMs: 0 });
    this.#schedule();
  }

  /** The owner that held it is no more. */
  ownerLost(): void {
    this.#waiting = this.#waiting
      .filter(({ window }) => Number(window) > 0 || (this.#truth === 'redis' && window !== '0'))
      .map((each) => (Number(each.window) > 0 ? each : { ...each, reserved: 0 }));
  }

  flush = (): void => {
    this.#scheduled = false;
    let from = 0;
    while (from < this.#waiting.length && this.#link.up) {
      const some = this.#waiting.slice(from, from + SETTLED_AT_ONCE);
      const keys: string[] = [];
      const args: string[] = [];
      for (const { key, window, reserved, takenAt, actual, endedAtMs } of some) {
        keys.push(key);
        args.push(window, String(reserved), String(takenAt), String(actual), String(Math.floor(endedAtMs)));
      }
      if (!this.#link.run(SETTLE, keys, args, IGNORED)) break;
      from += some.length;
    }
    this.#waiting = from === this.#waiting.length ? [] : this.#waiting.slice(from);
  };

  #keep(settlement: Settlement): void {
    if (this.#waiting.length < MAX_KEPT) this.#waiting.push(settlement);
    else this.dropped += 1;
  }

  #schedule(): void {
    if (this.#scheduled || !this.#link.up || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(this.flush);
  }
}
