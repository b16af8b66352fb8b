import type { Cell } from './cell.ts';
import type { Leg } from './counters.ts';

/** How long a lease may be spent: never longer than a sixtieth of the window, which is what its place in it is true to. */
const LONGEST_LIFE_MS = 1_000;
const SWEEP_MS = 100;
/** After Redis had nothing to give. */
const PAUSE_MS = 100;
/** Cells that are leased by one thread at once; requests of further ones ask Redis each time. */
const MAX_POOLS = 4_096;
/** A cell nobody asks for any more. */
const IDLE_MS = 60_000;

/** Reports what was granted (0: nothing) and when, by Redis' clock; undefined: Redis is away. */
export type LeaseAnswer = (granted: number, takenAt: number) => void;

export interface Lender {
  ask(cell: Cell, wanted: number, least: number, limit: number, answer: LeaseAnswer): void;
  giveBack(cell: Cell, amount: number, takenAt: number): void;
}

interface Lease {
  left: number;
  readonly takenAt: number;
  /** performance.now() */
  readonly endsAt: number;
}

/** One cell's shares on this thread. What is left of both leases together never exceeds `most`. */
interface Pool {
  readonly cell: Cell;
  readonly limit: number;
  readonly most: number;
  readonly lifeMs: number;
  current: Lease | undefined;
  next: Lease | undefined;
  /** How much is asked for at a time: grows while leases run out before they end, shrinks while they do not. */
  size: number;
  asking: boolean;
  askAgainAt: number;
  usedAt: number;
}

/**
 * Shares of limits, taken in advance so that requests need not ask Redis: up to `percent` of a limit, divided among the
 * threads of this gateway. A lease counts in Redis from the moment it is taken, whole; a request that spends of it is
 * settled there like any other, and what nobody used is given back when the lease ends.
 *
 * Bound: in a sliding window a share counts where it was taken and may be spent a little later, at most a sixtieth of
 * the window. So in no span of the window does a gateway pass more beyond the limit than what it has leased and not
 * spent at its beginning: one lease, `percent` of the limit. Budgets are held and never overshoot. The other way round,
 * as much as all gateways have leased and not spent may be refused to others until it is given back.
 */
export class RedisLeases {
  readonly #lender: Lender;
  readonly #pools = new Map<string, Pool>();
  #share = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(lender: Lender) {
    this.#lender = lender;
  }

  /** `percent` of a limit is one gateway's; 0: nothing is leased. */
  configure(percent: number, threads: number): void {
    const share = percent / 100 / threads;
    if (share === this.#share) return;
    this.#share = share;
    this.#returnAll();
  }

  /**
   * When each leg's share was taken, where leases cover all of them; else undefined, and Redis is to be asked. `takenAt`
   * says it for legs without a limit, which are only charged at the end.
   */
  take(legs: readonly Leg[], amounts: readonly number[], takenAt: number): number[] | undefined {
    const now = performance.now();
    let covered = true;
    for (let index = 0; index < legs.length; index += 1) {
      const { cell, limit } = legs[index]!;
      if (limit === Number.POSITIVE_INFINITY && cell.window.kind !== 'open') continue;
      // All are looked at, so that all of them ask for what they lack at once.
      if (!this.#covers(cell, limit, amounts[index]!, now)) covered = false;
    }
    if (!covered) return undefined;
    const taken: number[] = [];
    for (let index = 0; index < legs.length; index += 1) {
      const { cell, limit } = legs[index]!;
      if (limit === Number.POSITIVE_INFINITY) {
        taken.push(takenAt);
        continue;
      }
      const pool = this.#pools.get(cell.name)!;
      const lease = pool.current!;
      lease.left -= amounts[index]!;
      taken.push(lease.takenAt);
      if (lease.left < pool.size / 2 && pool.next === undefined) this.#ask(pool, 1, now);
    }
    return taken;
  }

  /** Redis is away: what was leased is not held there any more. */
  forget(): void {
    this.#pools.clear();
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** Whether `current` has enough; where `next` has, it becomes that. */
  #covers(cell: Cell, limit: number, amount: number, now: number): boolean {
    const most = Math.floor(limit * this.#share);
    if (cell.window.kind === 'open' || amount > most || most < 1) return false;
    const pool = this.#pool(cell, limit, most, now);
    if (pool === undefined) return false;
    pool.usedAt = now;
    if (usable(pool.current, amount, now)) return true;
    this.#end(pool, pool.current, now);
    pool.current = pool.next;
    pool.next = undefined;
    if (usable(pool.current, amount, now)) return true;
    this.#ask(pool, amount, now);
    return false;
  }

  #pool(cell: Cell, limit: number, most: number, now: number): Pool | undefined {
    const known = this.#pools.get(cell.name);
    if (known?.limit === limit) return known;
    if (known) this.#drop(known, now);
    if (this.#pools.size >= MAX_POOLS) return undefined;
    const { window } = cell;
    const lifeMs = window.kind === 'sliding' ? Math.min(LONGEST_LIFE_MS, window.ms / 60) : LONGEST_LIFE_MS;
    const size = Math.max(1, Math.floor(most / 8));
    const pool: Pool = {
      cell,
      limit,
      most,
      lifeMs,
      size,
      current: undefined,
      next: undefined,
      asking: false,
      askAgainAt: 0,
      usedAt: now,
    };
    this.#pools.set(cell.name, pool);
    this.#sweeper ??= setInterval(this.#sweep, SWEEP_MS).unref();
    return pool;
  }

  #ask(pool: Pool, least: number, now: number): void {
    if (pool.asking || now < pool.askAgainAt) return;
    const room = pool.most - (pool.current?.left ?? 0);
    const wanted = Math.min(room, Math.max(pool.size, least));
    if (wanted < least) return;
    pool.asking = true;
    // Counted from before it was sent: Redis takes its own time after that.
    const endsAt = now + pool.lifeMs;
    this.#lender.ask(pool.cell, wanted, least, pool.limit, (granted, takenAt) => {
      pool.asking = false;
      if (granted === 0) pool.askAgainAt = performance.now() + PAUSE_MS;
      else if (this.#pools.get(pool.cell.name) !== pool) this.#lender.giveBack(pool.cell, granted, takenAt);
      else {
        const lease = { left: granted, takenAt, endsAt };
        if (pool.current === undefined) pool.current = lease;
        else pool.next = lease;
      }
    });
  }

  #end(pool: Pool, lease: Lease | undefined, now: number): void {
    if (lease === undefined) return;
    const ranOut = now < lease.endsAt;
    if (ranOut) pool.size = Math.min(pool.most, pool.size * 2);
    else if (lease.left > pool.size / 2) pool.size = Math.max(1, Math.floor(pool.size / 2));
    if (lease.left > 0) this.#lender.giveBack(pool.cell, lease.left, lease.takenAt);
  }

  #sweep = (): void => {
    const now = performance.now();
    for (const pool of this.#pools.values()) {
      if (pool.current && pool.current.endsAt <= now) {
        this.#end(pool, pool.current, now);
        pool.current = pool.next;
        pool.next = undefined;
      }
      if (now - pool.usedAt > IDLE_MS) this.#drop(pool, now);
    }
    if (this.#pools.size === 0) this.forget();
  };

  #drop(pool: Pool, now: number): void {
    this.#pools.delete(pool.cell.name);
    this.#end(pool, pool.current, now);
    this.#end(pool, pool.next, now);
  }

  #returnAll(): void {
    const now = performance.now();
    for (const pool of this.#pools.values()) this.#drop(pool, now);
  }
}

function usable(lease: Lease | undefined, amount: number, now: number): boolean {
  return lease !== undefined && lease.left >= amount && now < lease.endsAt;
}
