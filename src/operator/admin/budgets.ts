import { z } from 'zod';
import type { BudgetLimit, BudgetRule } from '../../config/rules/counted-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { limitsOfGroup } from '../../counters/budget-groups.ts';
import { budgetCellName, Cell } from '../../counters/cell.ts';
import type { CellCount } from '../../counters/counters.ts';
import { periodEnd, periodStart } from '../../counters/periods.ts';
import { unitsOf } from '../../ledger/budget-charges.ts';
import { type BudgetWindow, windowsOf } from '../../ledger/budget-windows.ts';
import type { Database } from '../../store/database.ts';
import { storableText } from '../../store/storable-text.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';

export interface BudgetRouteDependencies {
  readonly database: Database;
  readonly budgets: () => readonly BudgetRule[];
  /** What this gateway counts: ahead of the database by what is open or not yet written. */
  readonly read: (cell: Cell) => CellCount;
}

const DEFAULT_LIMIT = 100;
const MOST_LIMIT = 1_000;

const querySchema = z.object({
  budget: z.string().optional(),
  group: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(MOST_LIMIT).default(DEFAULT_LIMIT),
  page_token: z.string().optional(),
});

/** One unit of one budget. */
interface Place {
  readonly budget: BudgetRule;
  readonly unit: Pick<BudgetLimit, 'unit' | 'counts' | 'period'>;
}

export function budgetRoutes(dependencies: BudgetRouteDependencies): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/budgets',
      session: { role: 'viewer', data: 'all' },
      summary: 'What each budget and each of its groups has spent in the period of now',
      query: {
        budget: 'Only this budget, by its id or name.',
        group: 'Only this group: a subject, a model, a value of metadata.',
        limit: `How many entries, 1 to ${MOST_LIMIT}; ${DEFAULT_LIMIT} by default.`,
        page_token: 'The `next_page_token` of the page before.',
      },
      handle: (request) => listBudgets(request, dependencies),
    },
  ];
}

/**
 * Group by group, in the order of the configuration, then of the group's text. A page ends where it is full;
 * `next_page_token` is where the next one begins, and is null at the end.
 */
async function listBudgets(
  { query }: AdminRequest,
  dependencies: BudgetRouteDependencies,
): Promise<OrError<AdminAnswer>> {
  const parsed = querySchema.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const param = String(parsed.error.issues[0]?.path[0] ?? 'query');
    return new GatewayError('invalid_parameter', { param, detail: `\`limit\` is 1 to ${MOST_LIMIT}.` });
  }
  const { budget, group, limit, page_token: token } = parsed.data;
  const begin = token === undefined ? { place: 0, after: undefined } : readToken(token);
  if (begin === undefined) {
    return new GatewayError('invalid_parameter', { param: 'page_token', detail: 'It is not one of ours.' });
  }
  const now = Date.now();
  const places = placesOf(dependencies.budgets(), budget);
  const data: object[] = [];
  let next: string | null = null;
  for (let at = begin.place; at < places.length; at += 1) {
    const place = places[at]!;
    const after = at === begin.place ? begin.after : undefined;
    const wanted = limit - data.length;
    const windows = await windowsAt(dependencies.database, place, now, { after, group, most: wanted + 1 });
    for (const window of windows.slice(0, wanted)) data.push(entryOf(place, window, dependencies));
    if (windows.length > wanted) {
      next = writeToken({ place: at, after: windows[wanted - 1]?.group ?? after });
      break;
    }
    if (data.length === limit && at + 1 < places.length) {
      next = writeToken({ place: at + 1, after: undefined });
      break;
    }
  }
  return { status: 200, json: { data, next_page_token: next } };
}

function placesOf(budgets: readonly BudgetRule[], id: string | undefined): Place[] {
  return budgets
    .filter((budget) => id === undefined || budget.id === id)
    .flatMap((budget) => unitsOf(budget).map((unit) => ({ budget, unit })));
}

/** A budget that counts all together is there from the start; groups are once they spent something. */
async function windowsAt(
  database: Database,
  { budget, unit }: Place,
  nowMs: number,
  { after, group, most }: { after: string | undefined; group: string | undefined; most: number },
): Promise<BudgetWindow[]> {
  const key = { budget: budget.id, ...unit, periodStart: periodStart(unit.period, nowMs) };
  const windows = await windowsOf(database, key, {
    most,
    ...(after !== undefined && { after }),
    ...(group !== undefined && { groups: [group] }),
  });
  const together = budget.appliesPer.length === 0 && (group ?? '') === '' && after === undefined;
  return together && windows.length === 0 ? [{ ...key, group: '', spent: 0 }] : windows;
}

function entryOf({ budget, unit }: Place, window: BudgetWindow, { read }: BudgetRouteDependencies): object {
  const limit = limitsOfGroup(budget, window.group).find((each) => each.unit === unit.unit)?.amount;
  const cell = new Cell(budgetCellName(budget.id, unit.unit, window.group), { kind: 'calendar', period: unit.period });
  const { used, held } = read(cell);
  const spent = Math.max(window.spent, used);
  const inUnit = (amount: number): number => (unit.counts === 'cost' ? amount / 1e9 : amount);
  return {
    budget: budget.id,
    mode: budget.mode,
    applies_per: budget.appliesPer,
    group: window.group,
    unit: unit.unit,
    currency: unit.counts === 'cost' ? 'USD' : null,
    spent: inUnit(spent),
    held: inUnit(held),
    limit: limit === undefined ? null : inUnit(limit),
    percent: limit === undefined || limit === 0 ? null : Math.floor((spent / limit) * 1000) / 10,
    period_start: new Date(window.periodStart).toISOString(),
    resets_at: new Date(periodEnd(unit.period, window.periodStart)).toISOString(),
  };
}

interface PageBegin {
  readonly place: number;
  readonly after: string | undefined;
}

const tokenSchema = z.tuple([
  z.number().int().min(0),
  z
    .string()
    .refine((group) => storableText(group) === group)
    .nullable(),
]);

function writeToken({ place, after }: PageBegin): string {
  return Buffer.from(JSON.stringify([place, after ?? null])).toString('base64url');
}

function readToken(token: string): PageBegin | undefined {
  try {
    const parsed = tokenSchema.safeParse(JSON.parse(Buffer.from(token, 'base64url').toString()));
    return parsed.success ? { place: parsed.data[0], after: parsed.data[1] ?? undefined } : undefined;
  } catch {
    return undefined;
  }
}
