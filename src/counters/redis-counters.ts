import type { CounterSettings } from '../config/server/store.ts';
import type { Cell } from './cell.ts';
import { type CellCount, type Counters, isRefusal, type Leg, type Refusal, type Reservation } from './counters.ts';
import type { Call } from './redis-connection.ts';
import { type LeaseAnswer, RedisLeases } from './redis-leases.ts';
import { type Held, RedisLink } from './redis-link.ts';
import { RedisReservation } from './redis-reservation.ts';
import { EXTEND, LEASE, RESERVE } from './redis-scripts.ts';
import { type BudgetTruth, RedisSettlements } from './redis-settlements.ts';
import { cellKey, limitArgument, numbersOf, windowArgument } from './redis-words.ts';

/** Counts on this machine: what is gone by while Redis is away, and what is known without asking it. */
export interface MachineCounters extends Counters {
  reserve(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Reservation | Refusal;
}

export interface RedisCountersOptions {
  readonly url: string;
  /** The id of this gateway among all. */
  readonly gatewayId: string;
  readonly thread: number;
  /** Relay threads of this gateway: they divide its leases. */
  readonly threads: number;
  readonly settings: CounterSettings;
  readonly machine: MachineCounters;
  /** Where it is known what was spent while Redis was away. */
  readonly budgetTruth: BudgetTruth;
  readonly onAway: (reason: string) => void;
  readonly onBack: () => void;
  /** The time that tests set instead of Redis' own. */
  readonly now?: () => number;
}

type Answer = Reservation | Refusal;
const AWAY: Refusal = { refusedLeg: -1, used: 0, retryAfterMs: 1_000 };

/**
 * Counts that all gateways agree on. Redis decides; whatever it lets in is counted on this machine too, so that when
 * Redis goes, the limits of this machine begin with what it has counted itself, and gauges need not ask anybody.
 */
export class RedisCounters implements Counters {
  readonly #machine: MachineCounters;
  readonly #link: RedisLink;
  readonly #settlements: RedisSettlements;
  readonly #leases: RedisLeases;
  readonly #threads: number;
  #settings: CounterSettings;
  /** All that are open; each knows its place. */
  readonly #open: RedisReservation[] = [];
  /** Redis' clock less this machine's. */
  #clockShiftMs = 0;
  /** Requests that were decided without Redis. */
  awayRequests = 0;

  constructor(options: RedisCountersOptions) {
    const { url, gatewayId, thread, threads, settings, machine, now, onAway, onBack } = options;
    this.#machine = machine;
    this.#threads = threads;
    this.#settings = settings;
    this.#link = new RedisLink({
      url,
      name: `${gatewayId}/${thread}`,
      timeoutMs: () => this.#settings.timeoutMs,
      time: now ?? redisTime,
      held: () => this.#held(),
      onUp: (redisNowMs) => {
        this.#clockShiftMs = redisNowMs - Date.now();
        this.#settlements.flush();
        onBack();
      },
      onDown: (reason) => {
        this.#leases.forget();
        this.#settlements.ownerLost();
        onAway(reason);
      },
    });
    this.#settlements = new RedisSettlements(this.#link, options.budgetTruth);
    this.#leases = new RedisLeases({
      ask: (cell, wanted, least, limit, answer) => this.#lease(cell, wanted, least, limit, answer),
      giveBack: (cell, amount, takenAt) =>
        this.#settlements.giveBack(cellKey(cell), windowArgument(cell), amount, takenAt),
    });
    this.reconfigure(settings);
  }

  /** Resolves when Redis answers, or did not in time: then it is away, and sought further. Never rejects. */
  start(): Promise<void> {
    return this.#link.start();
  }

  async stop(): Promise<void> {
    this.#leases.configure(0, 1);
    this.#settlements.flush();
    await this.#link.stop();
  }

  reconfigure(settings: CounterSettings): void {
    this.#settings = settings;
    this.#link.reconfigure();
    this.#leases.configure(settings.agreement === 'leased' ? settings.leasePercent : 0, this.#threads);
  }

  get away(): boolean {
    return !this.#link.up;
  }

  get droppedSettlements(): number {
    return this.#settlements.dropped;
  }

  reserve(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Answer | Promise<Answer> {
    if (!this.#link.up) return this.#decideAlone(legs, amounts, nowMs);
    const capped: number[] = [];
    for (let index = 0; index < legs.length; index += 1) capped.push(Math.min(amounts[index]!, legs[index]!.limit));
    if (this.#settings.agreement === 'leased') {
      const takenAt = this.#leases.take(legs, capped, Date.now() + this.#clockShiftMs);
      if (takenAt !== undefined) {
        const onMachine = this.#count(legs, capped, nowMs);
        // Without a limit nothing was leased, so nothing is held.
        const held = capped.map((amount, index) => (legs[index]!.limit === Number.POSITIVE_INFINITY ? 0 : amount));
        return this.#opened(legs, held, takenAt, onMachine);
      }
    }
    return new Promise((resolve) => {
      const keys: string[] = [];
      const args: string[] = [];
      for (let index = 0; index < legs.length; index += 1) {
        const { cell, limit } = legs[index]!;
        keys.push(cellKey(cell));
        args.push(windowArgument(cell), String(capped[index]), limitArgument(limit));
      }
      const call: Call = {
        answered: (reply) => resolve(this.#answered(reply, legs, capped, nowMs)),
        lost: () => resolve(this.#decideAlone(legs, capped, nowMs)),
      };
      if (!this.#link.run(RESERVE, keys, args, call)) resolve(this.#decideAlone(legs, capped, nowMs));
    });
  }

  read(cell: Cell, nowMs: number): CellCount {
    return this.#machine.read(cell, nowMs);
  }

  /** Only RedisReservation calls this. */
  over({ legs, amounts }: RedisReservation): void {
    for (let index = 0; index < legs.length; index += 1) {
      const { cell } = legs[index]!;
      if (cell.window.kind !== 'open') continue;
      this.#settlements.giveBack(cellKey(cell), windowArgument(cell), amounts[index]!, 0);
      amounts[index] = 0;
    }
  }

  /** Only RedisReservation calls this. */
  settled(reservation: RedisReservation, actual: readonly number[], endedAtMs: number): void {
    const { index } = reservation;
    reservation.index = -1;
    const last = this.#open.pop()!;
    if (last !== reservation) {
      this.#open[index] = last;
      last.index = index;
    }
    this.#settlements.add(reservation, actual, endedAtMs);
  }

  /**
   * Only RedisReservation calls this. There is no time to ask: it is held, and where Redis answers that it was beyond
   * the limit, it was the last one. So a stream goes beyond by at most what it asks for within one round trip.
   */
  extend(reservation: RedisReservation, leg: number, more: number, nowMs: number): boolean {
    const { legs, amounts, takenAt, onMachine } = reservation;
    const { cell, limit } = legs[leg]!;
    if (reservation.overdrawn) return false;
    const call: Call = {
      answered: (used) => {
        if (Number(used) > limit) reservation.overdrawn = true;
      },
      lost: () => {},
    };
    const args = [windowArgument(cell), String(more), String(takenAt[leg])];
    if (!this.#link.run(EXTEND, [cellKey(cell)], args, call)) {
      const { used, held } = this.#machine.read(cell, nowMs);
      if (this.#settings.whenAway !== 'open' && used + held + more > limit) return false;
    }
    amounts[leg]! += more;
    onMachine?.extend(leg, more, nowMs);
    return true;
  }

  #answered(reply: unknown, legs: readonly Leg[], capped: number[], nowMs: number): Answer {
    if (typeof reply === 'number') {
      const takenAt = legs.map(() => reply);
      return this.#opened(legs, capped, takenAt, this.#count(legs, capped, nowMs));
    }
    const [refusedLeg = -1, used = 0, retryAfterMs = 1_000] = numbersOf(reply);
    return { refusedLeg, used, retryAfterMs };
  }

  #decideAlone(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Answer {
    this.awayRequests += 1;
    const { whenAway } = this.#settings;
    if (whenAway === 'closed') return AWAY;
    const capped = legs.map(({ limit }, index) => Math.min(amounts[index]!, limit));
    const nowhere = legs.map(() => 0);
    if (whenAway === 'open') return this.#opened(legs, capped, nowhere, this.#count(legs, capped, nowMs));
    const answer = this.#machine.reserve(legs, capped, nowMs);
    return isRefusal(answer) ? answer : this.#opened(legs, capped, nowhere, answer);
  }

  /** Counted, never refused; undefined where the memory for it is full. */
  #count(legs: readonly Leg[], amounts: readonly number[], nowMs: number): Reservation | undefined {
    const unlimited = legs.map(({ cell }) => ({ cell, limit: Number.POSITIVE_INFINITY }));
    const answer = this.#machine.reserve(unlimited, amounts, nowMs);
    return isRefusal(answer) ? undefined : answer;
  }

  #opened(
    legs: readonly Leg[],
    amounts: number[],
    takenAt: readonly number[],
    onMachine: Reservation | undefined,
  ): Reservation {
    const reservation = new RedisReservation(this, legs, amounts, takenAt, onMachine);
    reservation.index = this.#open.push(reservation) - 1;
    return reservation;
  }

  /** Over all that are open, cell by cell; sliding windows hold nothing that could be lost with a gateway. */
  #held(): Held[] {
    const held = new Map<string, Held>();
    for (const { legs, amounts } of this.#open) {
      for (let index = 0; index < legs.length; index += 1) {
        const { cell } = legs[index]!;
        if (cell.window.kind === 'sliding' || amounts[index] === 0) continue;
        const known = held.get(cell.name);
        if (known) known.amount += amounts[index]!;
        else held.set(cell.name, { cell, amount: amounts[index]! });
      }
    }
    return [...held.values()];
  }

  #lease(cell: Cell, wanted: number, least: number, limit: number, answer: LeaseAnswer): void {
    const args = [windowArgument(cell), String(wanted), String(least), limitArgument(limit)];
    const call: Call = {
      answered: (reply) => {
        const [granted = 0, atMs = Date.now()] = numbersOf(reply);
        this.#clockShiftMs = atMs - Date.now();
        answer(granted, atMs);
      },
      lost: () => answer(0, 0),
    };
    if (!this.#link.run(LEASE, [cellKey(cell)], args, call)) answer(0, 0);
  }
}

/** 0: Redis takes its own. */
function redisTime(): number {
  return 0;
}
