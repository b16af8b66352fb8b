import type { RateLimitRule } from '../../config/rules/counted-rules.ts';
import type { GroupKey, RuleMatch } from '../../config/rules/rule-match.ts';
import { canonicalSubject } from '../../config/subject.ts';
import { groupOf, valuesOf } from '../../counters/budget-groups.ts';
import { Cell, type CellWindow, rateLimitCellName } from '../../counters/cell.ts';
import type { CellCount } from '../../counters/counters.ts';
import type { Database } from '../../store/database.ts';
import type { LedgerSeriesTable } from '../../store/tables/ledger-tables.ts';
import type { AdminRoute } from './admin-route.ts';
import { metadataOf } from './data-filter.ts';

export interface RateLimitRouteDependencies {
  readonly database: Database;
  readonly rateLimits: () => readonly (readonly RateLimitRule[])[];
  readonly read: (cell: Cell) => CellCount;
  /** Milliseconds until all of a window is free again, if nothing else comes. */
  readonly freeAfterMs: (cell: Cell, limit: number) => number;
}

const DAY_MS = 86_400_000;
/** Groups that are looked for: of so many combinations of user, model and so on that were seen last. */
const MAX_SERIES = 2_000;
/** The bound of one rule, the fullest first. */
const MAX_WINDOWS = 50;

/** The rate limits in force, with what their windows hold just now in the counts of this gateway. */
export function rateLimitRoutes(dependencies: RateLimitRouteDependencies): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/rate-limits',
      session: { role: 'viewer', data: 'all' },
      summary:
        'The rate limits in force, list by list, with what their fullest windows hold; in each list the first rule that matches decides',
      handle: async () => {
        const lists = dependencies.rateLimits();
        const series = lists.flat().some(({ appliesPer }) => appliesPer.length > 0)
          ? await seenSeries(dependencies)
          : [];
        const sameId = new Map<string, number>();
        const data = lists.flatMap((rules, list) =>
          rules.map((rule) => {
            const before = sameId.get(rule.id) ?? 0;
            sameId.set(rule.id, before + 1);
            return { ...ruleJson(rule, list), ...windowsJson(rule, before, series, dependencies) };
          }),
        );
        return { status: 200, json: { data } };
      },
    },
  ];
}

type Labels = Pick<LedgerSeriesTable, 'subject' | 'model' | 'target' | 'metadata'>;

/** The series with requests in the last day, or in the longest window. */
async function seenSeries({ database, rateLimits }: RateLimitRouteDependencies): Promise<Labels[]> {
  const longestMs = Math.max(DAY_MS, ...rateLimits().flatMap((rules) => rules.map(({ windowMs }) => windowMs)));
  const table = longestMs > DAY_MS ? 'usage_daily' : 'usage_hourly';
  const seen = await database.query
    .selectFrom(table)
    .select('series')
    .where('starts_at', '>=', Date.now() - longestMs - DAY_MS)
    .groupBy('series')
    .orderBy(({ fn }) => fn.max('starts_at'), 'desc')
    .limit(MAX_SERIES)
    .execute();
  if (seen.length === 0) return [];
  const names = seen.map(({ series }) => series);
  const columns = ['subject', 'model', 'target', 'metadata'] as const;
  return database.query.selectFrom('ledger_series').select(columns).where('series', 'in', names).execute();
}

function ruleJson({ id, match, unit, counts, limit, appliesPer, windowMs }: RateLimitRule, list: number): object {
  return {
    id,
    list,
    unit,
    limit: counts === 'cost' ? limit / 1e9 : limit,
    currency: counts === 'cost' ? 'USD' : null,
    window_seconds: windowMs === 0 ? null : windowMs / 1000,
    applies_per: appliesPer,
    when: whenJson(match),
  };
}

/** Undefined fields are left out. */
function whenJson({ subjects, users, teams, virtualAccounts, models, metadata }: RuleMatch): object {
  return { subjects, users, teams, virtual_accounts: virtualAccounts, models, metadata };
}

/** Groups that hold nothing are as good as not there. */
function windowsJson(
  rule: RateLimitRule,
  sameId: number,
  series: readonly Labels[],
  { read, freeAfterMs }: RateLimitRouteDependencies,
): { windows: object[]; more_windows: number } {
  const { id, unit, counts, limit, appliesPer } = rule;
  const window: CellWindow = counts === 'concurrent' ? { kind: 'open' } : { kind: 'sliding', ms: rule.windowMs };
  const groups = new Set(appliesPer.length === 0 ? [''] : series.flatMap((labels) => groupsOf(appliesPer, labels)));
  const inUnit = (amount: number): number => (counts === 'cost' ? amount / 1e9 : amount);
  const full = Array.from(groups, (group) => {
    const cell = new Cell(rateLimitCellName(sameId, id, unit, group), window);
    const { used, held } = read(cell);
    return { group, cell, taken: used + held };
  })
    .filter(({ taken }) => taken > 0 || appliesPer.length === 0)
    .sort((one, other) => other.taken - one.taken);
  const windows = full.slice(0, MAX_WINDOWS).map(({ group, cell, taken }) => ({
    group: Object.fromEntries((valuesOf(group, appliesPer) ?? []).map((value, index) => [appliesPer[index], value])),
    used: inUnit(taken),
    left: inUnit(Math.max(0, limit - taken)),
    percent: limit === 0 ? null : Math.floor((taken / limit) * 1000) / 10,
    // The end of an open request is not known.
    free_at:
      counts === 'concurrent' || taken === 0 ? null : new Date(Date.now() + freeAfterMs(cell, limit)).toISOString(),
  }));
  return { windows, more_windows: full.length - windows.length };
}

/** A model is counted under the name that the rule knows it by: as it was asked for, or as its target. */
function groupsOf(keys: readonly GroupKey[], labels: Labels): string[] {
  let groups: string[][] = [[]];
  for (const key of keys) groups = groups.flatMap((group) => valuesIn(key, labels).map((value) => [...group, value]));
  return groups.map(groupOf);
}

function valuesIn(key: GroupKey, { subject, model, target, metadata }: Labels): string[] {
  const who = subject ?? '';
  switch (key) {
    case 'model':
      return [...new Set([model ?? '', target ?? ''])];
    case 'user':
      return [who.startsWith('user:') ? canonicalSubject(who) : ''];
    case 'virtualaccount':
      return [who.startsWith('virtualaccount:') ? who : ''];
    default:
      return [metadataOf(metadata)[key.slice('metadata.'.length)] ?? ''];
  }
}
