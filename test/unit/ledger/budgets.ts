import type { BudgetLimit, BudgetPeriod, BudgetRule } from '../../../src/config/rules/counted-rules.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { plainRecord } from '../telemetry/records.ts';

const PERIODS: readonly BudgetPeriod[] = ['day', 'week', 'month', 'quarter'];

/** By the words of its unit, as `cost_per_day`. */
export function limitOf(unit: string, amount: number): BudgetLimit {
  const period = PERIODS.find((each) => unit.endsWith(each));
  if (period === undefined) throw new Error(`no period in ${unit}`);
  return { unit, counts: unit.startsWith('cost') ? 'cost' : 'tokens', period, amount };
}

export function budgetOf(id: string, more: Partial<BudgetRule> = {}): BudgetRule {
  return { id, match: {}, limits: [], appliesPer: [], overrides: [], mode: 'enforce', ...more };
}

let count = 0;

export function chargedRecord({
  charges,
  ...more
}: Partial<ExchangeRecord> & { charges: [string, string][] }): ExchangeRecord {
  count += 1;
  return plainRecord({
    id: `ex_${count}`,
    usage: { inputTokens: 5, outputTokens: 7 },
    chargesJson: JSON.stringify(charges),
    ...more,
  });
}
