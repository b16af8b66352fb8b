import type { BudgetLimit, BudgetPeriod, BudgetRule } from '../config/rules/counted-rules.ts';
import { periodStart } from '../counters/periods.ts';
import { storableText } from '../store/storable-text.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

/** What one batch of records adds to one window. */
export interface BudgetCharge {
  readonly budget: string;
  readonly unit: string;
  readonly period: BudgetPeriod;
  readonly periodStart: number;
  readonly group: string;
  /** Nano-dollars or tokens, whole. */
  readonly amount: number;
}

/** A way in which a budget counts; of two limits with the same unit the first stands for both. */
export type BudgetUnit = Pick<BudgetLimit, 'unit' | 'counts' | 'period'>;

const DAY_MS = 86_400_000;

const known = new WeakMap<BudgetRule, readonly BudgetUnit[]>();

/** All units of a budget, those of overrides too: whether one has a limit for a group may change with a reload. */
export function unitsOf(budget: BudgetRule): readonly BudgetUnit[] {
  let all = known.get(budget);
  if (all === undefined) {
    const units = new Map<string, BudgetUnit>();
    for (const limit of [...budget.limits, ...budget.overrides.flatMap((each) => each.limits)]) {
      if (!units.has(limit.unit)) units.set(limit.unit, limit);
    }
    all = [...units.values()];
    known.set(budget, all);
  }
  return all;
}

interface Used {
  readonly endDay: number;
  readonly chargesJson: string;
  costNanoUsd: number;
  tokens: number;
}

/**
 * What the records of a batch are charged to, each window once. Records that are charged alike are added up before anything
 * is parsed, since most of a batch are: a period begins at midnight always, so the day of the end says which one.
 */
export class ChargeSums {
  readonly #alike = new Map<string, Used>();
  #last: Used | undefined;

  add(record: RecordView): void {
    const { chargesJson, usage } = record;
    if (chargesJson === undefined) return;
    const costNanoUsd = record.costNanoUsd ?? record.unknownCost?.atMostNanoUsd;
    const endDay = Math.floor((record.startedAt + record.durationMs) / DAY_MS);
    const used = this.#usedBy(chargesJson, endDay);
    // Where a part cannot be priced, the most that it can be is charged. Where no price is known at all nothing can be; the
    // ledger shows how many exchanges that were.
    if (costNanoUsd !== undefined) used.costNanoUsd += costNanoUsd;
    if (usage === undefined) return;
    const { inputTokens, outputTokens } = usage;
    if (inputTokens !== undefined) used.tokens += inputTokens;
    if (outputTokens !== undefined) used.tokens += outputTokens;
  }

  charges(budgets: ReadonlyMap<string, BudgetRule>): BudgetCharge[] {
    const windows = new Map<string, BudgetCharge & { amount: number }>();
    for (const { chargesJson, endDay, ...used } of this.#alike.values()) {
      for (const [id, written] of parseCharges(chargesJson)) {
        // Two groups that the database takes for one must be one row of the batch.
        const group = storableText(written);
        const budget = budgets.get(id);
        // A rule that a reload took away meanwhile: nobody counts it any more.
        if (budget === undefined) continue;
        for (const { unit, counts, period } of unitsOf(budget)) {
          const amount = counts === 'cost' ? used.costNanoUsd : used.tokens;
          if (amount === 0) continue;
          const start = periodStart(period, endDay * DAY_MS);
          // With the length of the id: no two windows read alike, whatever id and group hold.
          const key = `${unit} ${start} ${id.length} ${id}${group}`;
          const window = windows.get(key);
          if (window) window.amount += amount;
          else windows.set(key, { budget: id, unit, period, periodStart: start, group, amount });
        }
      }
    }
    return [...windows.values()];
  }

  #usedBy(chargesJson: string, endDay: number): Used {
    // Mostly as the one before, by the very same text: then nothing is put together and looked up.
    if (this.#last?.chargesJson === chargesJson && this.#last.endDay === endDay) return this.#last;
    const key = `${endDay} ${chargesJson}`;
    let used = this.#alike.get(key);
    if (used === undefined) {
      used = { endDay, chargesJson, costNanoUsd: 0, tokens: 0 };
      this.#alike.set(key, used);
    }
    this.#last = used;
    return used;
  }
}

function parseCharges(json: string): readonly (readonly [string, string])[] {
  try {
    const charges: unknown = JSON.parse(json);
    return Array.isArray(charges) ? charges.filter(isCharge) : [];
  } catch {
    // A record of another version of ours, replayed: a charge that cannot be read must not stop the ledger for ever.
    return [];
  }
}

/** By hand: a schema takes as long as all the rest of a batch (5 charges each, 1,000 groups). */
function isCharge(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'string';
}
