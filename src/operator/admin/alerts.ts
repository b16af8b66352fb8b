import { pageOfDeliveries, type ToldDelivery } from '../../alerts/delivery-log.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Database } from '../../store/database.ts';
import type { AdminRoute } from './admin-route.ts';
import { limitHelp, pageLimit } from './page-limit.ts';

/** What was sent of budgets, to whom, and what could not be. */
export function alertRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/alerts',
      session: { role: 'viewer', data: 'all' },
      summary: 'Messages about budgets: what was sent when and to whom, and what failed, newest first',
      query: {
        limit: limitHelp('Messages in a page'),
        after: 'The id of the last message of the page before',
      },
      handle: async ({ query }) => {
        const limit = pageLimit(query);
        if (limit instanceof GatewayError) return limit;
        const { rows, hasMore } = await pageOfDeliveries(database, query.get('after') ?? undefined, limit);
        return { status: 200, json: { data: rows.map(deliveryJson), has_more: hasMore } };
      },
    },
  ];
}

function deliveryJson(row: ToldDelivery): object {
  const isCost = row.unit.startsWith('cost');
  const inUnit = (amount: number): number => (isCost ? amount / 1e9 : amount);
  return {
    id: row.id,
    at: new Date(row.at).toISOString(),
    budget: row.budget,
    group: row.group_value,
    unit: row.unit,
    currency: isCost ? 'USD' : null,
    period_start: new Date(row.period_start).toISOString(),
    threshold: row.threshold,
    spent: inUnit(row.spent),
    limit: inUnit(row.limit_amount),
    channel: row.channel,
    recipient: row.recipient,
    outcome: row.outcome,
    reason: row.reason,
    tries: row.tries,
  };
}
