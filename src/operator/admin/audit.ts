import { GatewayError } from '../../core/errors.ts';
import { pageOfAudit } from '../../store/audit.ts';
import type { Database } from '../../store/database.ts';
import type { AdminRoute } from './admin-route.ts';
import { limitHelp, pageLimit } from './page-limit.ts';

/** Changes through the admin API and sign-ins to the console, each with its author. */
export function auditRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/audit',
      session: { role: 'viewer', data: 'all' },
      summary:
        'The audit log: changes through the admin API, sign-ins to the console and what was refused, newest first',
      query: {
        limit: limitHelp('Entries in a page'),
        after: 'The id of the last entry of the page before',
      },
      handle: async ({ query }) => {
        const limit = pageLimit(query);
        if (limit instanceof GatewayError) return limit;
        const { rows, hasMore } = await pageOfAudit(database, query.get('after') ?? undefined, limit);
        const data = rows.map(({ id, at, gateway, seq, hash, entry }) => ({
          id,
          at: new Date(at).toISOString(),
          ...shown(entry),
          chain: { gateway, seq, hash },
        }));
        return { status: 200, json: { data, has_more: hasMore } };
      },
    },
  ];
}

/** An entry that somebody changed is shown as changed. */
function shown(entry: string): object {
  try {
    return JSON.parse(entry);
  } catch {
    return { outcome: 'unreadable' };
  }
}
