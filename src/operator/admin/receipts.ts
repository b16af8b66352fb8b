import { GatewayError } from '../../core/errors.ts';
import { readReceipt } from '../../ledger/receipt.ts';
import { visibleTo } from '../../policy/data-access.ts';
import type { AdminRoute } from './admin-route.ts';
import { seenOf } from './data-filter.ts';
import type { RequestRouteDependencies } from './requests.ts';

/** The receipt of one exchange, from the ledger. */
export function receiptRoutes({ database, access }: RequestRouteDependencies): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/receipts/:id',
      session: { role: 'viewer', data: 'filtered' },
      summary:
        'The receipt of one exchange: who, what, where it went and why, what it used and cost, its place in the chain',
      handle: async ({ parameters, viewer }) => {
        const id = parameters['id'] ?? '';
        const receipt = await readReceipt(database, id);
        const sees = viewer && visibleTo(viewer, 'traces', access());
        if (receipt !== undefined && (sees === undefined || sees(seenOf(receipt.who))))
          return { status: 200, json: receipt };
        const detail = `No exchange \`${id.slice(0, 100)}\` is in the ledger. One that just ended is there within a second.`;
        return new GatewayError('not_found', { detail });
      },
    },
  ];
}
