import type { BudgetPeriod, BudgetRule } from '../config/rules/counted-rules.ts';
import { periodStart } from '../counters/periods.ts';
import type { Database, DatabaseTransaction } from '../store/database.ts';
import { type BudgetCharge, ChargeSums, unitsOf } from './budget-charges.ts';
import type { LedgerHook, LedgerSums } from './ledger-hook.ts';

/** What one group of a budget spent in one period, over all gateways. */
export interface BudgetWindow {
  readonly budget: string;
  readonly unit: string;
  readonly period: BudgetPeriod;
  readonly periodStart: number;
  readonly group: string;
  /** Nano-dollars or tokens. */
  readonly spent: number;
}

export type WindowKey = Omit<BudgetCharge, 'amount'>;

export interface BudgetWindowsOptions {
  readonly gateway: string;
  readonly budgets: readonly BudgetRule[];
  /** After the commit; must not throw. */
  onCharged(charges: readonly BudgetCharge[]): void;
}

/** The groups that fit one query: a database takes so many parameters in one statement. */
const GROUPS_PER_QUERY = 500;
/** Longer than the longest period and its predecessor; older windows serve nothing but curiosity. */
const KEPT_MS = 400 * 86_400_000;

/**
 * A hook of the ledger: what budgets have spent is written with the rows that it was spent on, in one transaction, so
 * that after any crash the two are equal and nothing counts twice.
 */
export class BudgetWindows implements LedgerHook {
  readonly #options: BudgetWindowsOptions;
  #budgets: ReadonlyMap<string, BudgetRule>;

  constructor(options: BudgetWindowsOptions) {
    this.#options = options;
    this.#budgets = byId(options.budgets);
  }

  /** Budgets that are gone keep what they spent; records that still name them are charged to nobody. */
  configure(budgets: readonly BudgetRule[]): void {
    this.#budgets = byId(budgets);
  }

  begin(): LedgerSums {
    const sums = new ChargeSums();
    let charges: readonly BudgetCharge[] = [];
    return {
      add: (record) => sums.add(record),
      write: async (transaction) => {
        charges = sums.charges(this.#budgets);
        await this.#write(charges, transaction);
      },
      committed: () => {
        if (charges.length > 0) this.#options.onCharged(charges);
      },
    };
  }

  async #write(charges: readonly BudgetCharge[], transaction: DatabaseTransaction): Promise<void> {
    const { gateway } = this.#options;
    const rows = charges.map(({ budget, unit, periodStart, group, amount }) => {
      return [budget, unit, periodStart, group, gateway, amount];
    });
    if (rows.length === 0) return;
    const keys = ['budget', 'unit', 'period_start', 'group_value', 'gateway'] as const;
    await transaction.addUp('budget_windows', keys, ['spent'], rows);
  }
}

function byId(budgets: readonly BudgetRule[]): Map<string, BudgetRule> {
  return new Map(budgets.map((budget) => [budget.id, budget]));
}

export interface WindowFilter {
  /** What this gateway spent, or what the others did; absent: all of them. */
  readonly only?: string;
  readonly except?: string;
  /** Groups after this one, in the order of their text. */
  readonly after?: string;
  readonly groups?: readonly string[];
  readonly most?: number;
}

/** The windows of now, of every unit of these budgets; what is not there spent nothing. */
export async function currentWindows(
  database: Database,
  budgets: readonly BudgetRule[],
  nowMs: number,
  filter: WindowFilter = {},
): Promise<BudgetWindow[]> {
  const windows: BudgetWindow[] = [];
  for (const budget of budgets) {
    for (const { unit, period } of unitsOf(budget)) {
      const start = periodStart(period, nowMs);
      windows.push(...(await windowsOf(database, { budget: budget.id, unit, period, periodStart: start }, filter)));
    }
  }
  return windows;
}

type WindowsKey = Pick<BudgetWindow, 'budget' | 'unit' | 'period' | 'periodStart'>;

/** The groups of one unit in one period, in the order of their text. */
export async function windowsOf(
  database: Database,
  { budget, unit, period, periodStart }: WindowsKey,
  { only, except, after, groups, most }: WindowFilter = {},
): Promise<BudgetWindow[]> {
  let query = database.query
    .selectFrom('budget_windows')
    .select(['group_value', (each) => each.fn.sum<number>('spent').as('spent')])
    .where('budget', '=', budget)
    .where('unit', '=', unit)
    .where('period_start', '=', periodStart)
    .groupBy('group_value')
    .orderBy('group_value');
  if (only !== undefined) query = query.where('gateway', '=', only);
  if (except !== undefined) query = query.where('gateway', '<>', except);
  if (after !== undefined) query = query.where('group_value', '>', after);
  if (groups !== undefined) query = query.where('group_value', 'in', groups);
  if (most !== undefined) query = query.limit(most);
  const rows = await query.execute();
  return rows.map((row) => ({ budget, unit, period, periodStart, group: row.group_value, spent: Number(row.spent) }));
}

/** What these windows hold now, over all gateways. */
export async function spentIn(database: Database, keys: readonly WindowKey[]): Promise<BudgetWindow[]> {
  const found: BudgetWindow[] = [];
  for (const list of alike(keys)) {
    for (let from = 0; from < list.length; from += GROUPS_PER_QUERY) {
      const groups = list.slice(from, from + GROUPS_PER_QUERY).map((each) => each.group);
      found.push(...(await windowsOf(database, list[0]!, { groups })));
    }
  }
  return found;
}

function alike(keys: readonly WindowKey[]): WindowKey[][] {
  const lists = new Map<string, WindowKey[]>();
  for (const key of keys) {
    const name = JSON.stringify([key.budget, key.unit, key.periodStart]);
    const list = lists.get(name);
    if (list) list.push(key);
    else lists.set(name, [key]);
  }
  return [...lists.values()];
}

/** Once a day is plenty. */
export async function forgetOldWindows(database: Database, nowMs: number): Promise<void> {
  const before = nowMs - KEPT_MS;
  await database.query.deleteFrom('budget_windows').where('period_start', '<', before).execute();
  await database.query.deleteFrom('budget_alerts').where('period_start', '<', before).execute();
}
