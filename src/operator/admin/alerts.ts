import { pageOfDeliveries, type ToldDelivery } from '../../alerts/delivery-log.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Database } from '../../store/database.ts';
import type { AdminRoute } from './admin-route.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/** What was sent of budgets, to whom, and what could not be. */
export function alertRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/alerts',
      session: { role: 'viewer', data: 'all' },
      summary: 'Messages about budgets: what was sent when and to whom, and what failed, newest first',
      query: {
        limit: `Messages in a page, up to ${MAX_LIMIT}; ${DEFAULT_LIMIT} without it`,
        after: 'The id of the last message of the page before',
      },
      handle: async ({ query }) => {
        const written = query.get('limit') ?? String(DEFAULT_LIMIT);
        const limit = /^\d{1,3}$/.test(written) ? Number(written) : 0;
        if (limit < 1 || limit > MAX_LIMIT) {
          const detail = `It is a whole number from 1 to ${MAX_LIMIT}.`;
          return new GatewayError('invalid_parameter', { param: 'limit', detail });
        }
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
