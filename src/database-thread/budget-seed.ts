import type { BudgetRule } from '../config/rules/counted-rules.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Log } from '../core/log.ts';
import { budgetCellName } from '../counters/cell.ts';
import type { BudgetWindow as SeededWindow } from '../counters/redis-budget-seed.ts';
import { type BudgetWindow, currentWindows } from '../ledger/budget-windows.ts';
import type { Database } from '../store/database.ts';

export interface BudgetSeedOptions {
  readonly database: Database;
  readonly server: ServerSettings;
  /** The budgets of the configuration in force. */
  readonly budgets: () => readonly BudgetRule[];
  readonly log: Log;
}

/** Brings what budgets spent from the database to Redis, so that a budget that was spent is spent in a new Redis, too. */
export interface BudgetSeed {
  /** Resolves after the first attempt to bring all; it goes on by itself. */
  start(): Promise<void>;
  /** Windows that changed. */
  push(windows: readonly BudgetWindow[]): void;
  close(): Promise<void> | void;
}

/** Limits that are counted in memory need no seed. */
const NO_SEED: BudgetSeed = { start: async () => {}, push() {}, close() {} };

/** The Redis client is loaded only where it is used: it is a third of all modules that a start could load. */
export async function budgetSeed({ database, server, budgets, log }: BudgetSeedOptions): Promise<BudgetSeed> {
  const { counters } = server.store;
  if (counters === 'memory') return NO_SEED;
  const { RedisBudgetSeed } = await import('../counters/redis-budget-seed.ts');
  const seed = new RedisBudgetSeed({
    url: counters,
    timeoutMs: server.counters.timeoutMs,
    // Without a ledger the database knows nothing of budgets.
    windows: async () =>
      server.ledger.enabled ? (await currentWindows(database, budgets(), Date.now())).map(seededWindow) : [],
    log,
  });
  return {
    start: () => seed.start(),
    push: (windows) => seed.push(windows.map(seededWindow)),
    close: () => seed.stop(),
  };
}

function seededWindow({ budget, unit, group, period, periodStart, spent }: BudgetWindow): SeededWindow {
  return { cell: budgetCellName(budget, unit, group), period, periodStartMs: periodStart, spent };
}
