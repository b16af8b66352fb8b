import type { BudgetRule } from '../config/rules/counted-rules.ts';
import type { Log } from '../core/log.ts';
import { budgetCellName, Cell, overflowCellName } from '../counters/cell.ts';
import { periodEnd } from '../counters/periods.ts';
import type { Database } from '../store/database.ts';
import { type BudgetWindow, currentWindows } from './budget-windows.ts';

/** The counts of all relay threads, as far as budgets need them (counters/memory-counters.ts). */
export interface SpendingCounters {
  /** `wallShiftMs`: to be added for the time of day, which periods begin with. */
  readonly clock: { now(): number; readonly wallShiftMs: number };
  /** A cell counts at least so much. */
  seed(cell: Cell, used: number, nowMs: number): void;
  add(cell: Cell, amount: number, endedAtMs: number): void;
}

export interface BudgetSpendingOptions {
  readonly database: Database;
  readonly gateway: string;
  readonly counters: SpendingCounters;
  readonly budgets: readonly BudgetRule[];
  readonly log: Log;
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;

/**
 * What the database knows of spending, put into the counts that requests are held against. At the start: all that was
 * spent in the periods of now, so that a crash forgives nobody anything. Then, where gateways share a database: every
 * two seconds what the others spent. Where no Redis counts for them, a budget of several gateways can so be overspent by
 * what the others spent in the last two and a half seconds (the wait, and the quarter second until their ledger
 * commits), besides what is open.
 */
export class BudgetSpending {
  readonly #options: BudgetSpendingOptions;
  #budgets: readonly BudgetRule[];
  /** What was added so far of others' spending, by the cell's name. */
  readonly #added = new Map<string, { periodStart: number; endsAt: number; spent: number }>();
  #timer: NodeJS.Timeout | undefined;
  #faulty = false;
  #stopped = false;

  constructor(options: BudgetSpendingOptions) {
    this.#options = options;
    this.#budgets = options.budgets;
  }

  /** Before relay threads listen, and after a reload, which may have brought budgets back. Gives all windows of now. */
  async seed(budgets: readonly BudgetRule[] = this.#budgets): Promise<void> {
    this.#budgets = budgets;
    const { database, gateway, counters } = this.#options;
    const now = counters.clock.now();
    const wallMs = now + counters.clock.wallShiftMs;
    // What others spent is added and not seeded: of one sum nobody could tell later how much of it was theirs.
    for (const window of await currentWindows(database, budgets, wallMs, { only: gateway })) {
      const cell = this.#cellOf(window);
      // The count holds both: what others spent must not stand for what was spent here and is not counted yet.
      counters.seed(cell, window.spent + this.#addedTo(cell, window), now);
    }
    await this.#addOthers();
  }

  /** Only where other gateways write to the same database. */
  follow(): void {
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { everyMs = EVERY_MS } = this.#options;
    this.#timer = setTimeout(() => this.#look().finally(() => this.#schedule()), everyMs).unref();
  }

  async #look(): Promise<void> {
    try {
      await this.#addOthers();
      this.#faulty = false;
    } catch (error) {
      const message = 'what other gateways spent cannot be read; budgets count this one’s alone until it can';
      if (!this.#faulty) this.#options.log.warn({ code: 'budget_spending_unread', error }, message);
      this.#faulty = true;
    }
  }

  async #addOthers(): Promise<void> {
    const { database, gateway, counters } = this.#options;
    const now = counters.clock.now() + counters.clock.wallShiftMs;
    const windows = await currentWindows(database, this.#budgets, now, { except: gateway });
    for (const window of windows) {
      const cell = this.#cellOf(window);
      const { period, periodStart, spent } = window;
      const before = this.#addedTo(cell, window);
      if (spent <= before) continue;
      // The time says which period is meant: one that ended while we read counts no more.
      counters.add(cell, spent - before, now);
      this.#added.set(cell.name, { periodStart, endsAt: periodEnd(period, periodStart), spent });
    }
    // Budgets that a reload took away are among them: their cells may still be there when they come back.
    for (const [name, { endsAt }] of this.#added) if (endsAt <= now) this.#added.delete(name);
  }

  /** What others spent in this window, as far as it was added. */
  #addedTo({ name }: Cell, { periodStart }: BudgetWindow): number {
    const known = this.#added.get(name);
    return known?.periodStart === periodStart ? known.spent : 0;
  }

  #cellOf({ budget, unit, period, group }: BudgetWindow): Cell {
    const window = { kind: 'calendar', period } as const;
    const rule = this.#budgets.find((each) => each.id === budget);
    if (rule?.appliesPer.length === 0) return new Cell(budgetCellName(budget, unit, group), window);
    const overflow = new Cell(overflowCellName(budgetCellName(budget, unit, '')), window);
    return new Cell(budgetCellName(budget, unit, group), window, overflow);
  }
}
