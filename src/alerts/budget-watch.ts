import type { BudgetLimit, BudgetRule } from '../config/rules/counted-rules.ts';
import type { Log } from '../core/log.ts';
import { type BudgetWindowKey, limitsOfGroup, userOfGroup } from '../counters/budget-groups.ts';
import { periodEnd, periodStart } from '../counters/periods.ts';
import type { Database } from '../store/database.ts';
import { type AlertClaim, alertSent, claimAlert, reclaimAlerts } from './alert-claims.ts';
import type { AlertSender } from './alert-sender.ts';
import type { BudgetAlert } from './budget-alert.ts';
import { BudgetUsage } from './budget-usage.ts';

export interface BudgetWatchOptions {
  readonly database: Database;
  readonly budgets: readonly BudgetRule[];
  /** What these windows hold now, over all gateways. */
  readonly spentIn: (windows: readonly BudgetWindowKey[]) => Promise<readonly (BudgetWindowKey & { spent: number })[]>;
  readonly sender: Pick<AlertSender, 'send'>;
  readonly log: Log;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
  readonly lookEveryMs?: number;
}

const LOOK_EVERY_MS = 1_000;
/** Alerts that another gateway claimed and did not live to send. */
const RECLAIM_EVERY_MS = 60_000;
/** A day later nobody wants to hear of it. */
const STALE_MS = 86_400_000;
/** Windows charged between two looks, and windows whose thresholds are known to be told. */
const MOST_WINDOWS = 50_000;

/**
 * Sees which budgets reach a threshold, on the main thread, from what the ledger has committed: no request waits for it.
 * It looks at most once a second, at the windows charged since; what a database that is away keeps from being seen is
 * seen when it is back.
 */
export class BudgetWatch {
  readonly usage = new BudgetUsage();
  readonly #options: BudgetWatchOptions;
  #budgets: ReadonlyMap<string, BudgetRule>;
  #charged = new Map<string, BudgetWindowKey>();
  /** Those that refused a request since the last look. */
  #refusing = new Map<string, BudgetWindowKey>();
  /** The highest threshold of each window that needs no look at the database any more. */
  readonly #told = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #reclaiming: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #faulty = false;
  #stopped = false;

  constructor(options: BudgetWatchOptions) {
    this.#options = options;
    this.#budgets = byId(options.budgets);
  }

  /** Also for what was spent before this process began: a gateway may have died between the charge and the alert. */
  start(windows: readonly BudgetWindowKey[]): void {
    this.charged(windows);
    this.#reclaiming = setInterval(() => this.#guarded(() => this.#reclaim()), RECLAIM_EVERY_MS).unref();
    this.#guarded(() => this.#reclaim());
  }

  configure(budgets: readonly BudgetRule[]): void {
    this.#budgets = byId(budgets);
    // Limits and thresholds may be others now; rows in the database say what was told of them.
    this.#told.clear();
    this.usage.clear();
  }

  charged(windows: readonly BudgetWindowKey[]): void {
    if (this.#stopped) return;
    for (const window of windows) {
      keep(this.#charged, keyOf(window), window);
    }
    if (this.#charged.size > 0) this.#schedule();
  }

  /** A request did not fit into this window: told once in its period, whatever was spent. */
  refuses(window: BudgetWindowKey): void {
    if (this.#stopped) return;
    keep(this.#refusing, keyOf(window), window);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#reclaiming);
  }

  get #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Looks at once at what was charged, so that a stop leaves nothing for the next start. */
  async looked(): Promise<void> {
    await this.#looking;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    await this.#begin();
  }

  #schedule(): void {
    if (this.#stopped || this.#looking || this.#timer !== undefined) return;
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
    this.#timer = setTimeout(() => this.#begin(), lookEveryMs).unref();
  }

  #begin(): Promise<void> {
    this.#timer = undefined;
    this.#looking = this.#guarded(() => this.#look()).finally(() => {
      this.#looking = undefined;
      if (this.#charged.size + this.#refusing.size > 0) this.#schedule();
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const charged = this.#charged;
    const refusing = this.#refusing;
    this.#charged = new Map();
    this.#refusing = new Map();
    try {
      const spent = new Map<string, number>();
      for (const window of await this.#options.spentIn([...new Map([...charged, ...refusing]).values()])) {
        spent.set(keyOf(window), window.spent);
        await this.#judge(window);
      }
      for (const [key, window] of refusing) await this.#tellRefusal(window, spent.get(key) ?? 0);
    } catch (error) {
      for (const [key, window] of charged) keep(this.#charged, key, window);
      for (const [key, window] of refusing) keep(this.#refusing, key, window);
      throw error;
    }
  }

  async #judge({ spent, ...window }: BudgetWindowKey & { spent: number }): Promise<void> {
    const [budget, limit] = this.#limitOf(window);
    if (budget === undefined || limit === undefined) return;
    const now = this.#now;
    this.usage.seen({
      budget: budget.id,
      spent,
      limit: limit.amount,
      endsAt: periodEnd(limit.period, window.periodStart),
    });
    if (budget.alerts === undefined || periodStart(limit.period, now) !== window.periodStart) return;
    const key = keyOf(window);
    const told = this.#told.get(key) ?? -1;
    for (const threshold of budget.alerts.thresholds) {
      if (threshold <= told || spent === 0 || spent < (limit.amount * threshold) / 100) continue;
      const claim = { ...window, threshold, spent, limit: limit.amount };
      if (await claimAlert(this.#options.database, claim, now)) this.#send(budget, limit, claim);
      if (this.#told.size >= MOST_WINDOWS) this.#told.clear();
      this.#told.set(key, threshold);
    }
  }

  async #tellRefusal(window: BudgetWindowKey, spent: number): Promise<void> {
    const [budget, limit] = this.#limitOf(window);
    if (budget?.alerts === undefined || limit === undefined) return;
    const claim = { ...window, threshold: 'refuses', spent, limit: limit.amount } as const;
    if (await claimAlert(this.#options.database, claim, this.#now)) this.#send(budget, limit, claim);
  }

  /** As configured now. */
  #limitOf({ budget, group, unit }: Pick<BudgetWindowKey, 'budget' | 'group' | 'unit'>) {
    const rule = this.#budgets.get(budget);
    const limit = rule && limitsOfGroup(rule, group).find((each) => each.unit === unit);
    return [rule, limit] as const;
  }

  async #reclaim(): Promise<void> {
    const { database } = this.#options;
    for (const claim of await reclaimAlerts(database, this.#now)) {
      const [budget, limit] = this.#limitOf(claim);
      const stale = limit && periodEnd(limit.period, claim.periodStart) + STALE_MS < this.#now;
      if (budget === undefined || limit === undefined || stale) await alertSent(database, claim, this.#now);
      else this.#send(budget, limit, claim);
    }
  }

  #send(budget: BudgetRule, { counts, period }: BudgetLimit, claim: AlertClaim): void {
    const { alerts } = budget;
    if (alerts === undefined) return;
    const alert: BudgetAlert = { ...claim, mode: budget.mode, appliesPer: budget.appliesPer, counts, period };
    this.#options.sender.send({
      alert,
      alerts,
      user: userOfGroup(budget, claim.group),
      onDone: () => this.#guarded(() => alertSent(this.#options.database, claim, this.#now)),
    });
  }

  /** The database may be away: said once, until it is back. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#faulty = false;
    } catch (error) {
      if (!this.#faulty && !this.#stopped)
        this.#options.log.error({ code: 'budget_watch_failed', error }, 'budgets cannot be watched; it is tried again');
      this.#faulty = true;
    }
  }
}

/** More than so many at once are not looked at. */
function keep(windows: Map<string, BudgetWindowKey>, key: string, window: BudgetWindowKey): void {
  if (windows.size < MOST_WINDOWS || windows.has(key)) windows.set(key, window);
}

function keyOf({ budget, unit, periodStart, group }: BudgetWindowKey): string {
  return JSON.stringify([budget, unit, periodStart, group]);
}

function byId(budgets: readonly BudgetRule[]): Map<string, BudgetRule> {
  return new Map(budgets.map((budget) => [budget.id, budget]));
}
