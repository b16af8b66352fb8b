import { GatewayError } from '../../core/errors.ts';
import { readReceipt } from '../../ledger/receipt.ts';
import type { Database } from '../../store/database.ts';
import type { AdminRoute } from './admin-route.ts';

/** What is known of one exchange, from the ledger. */
export function receiptRoutes({ database }: { readonly database: Database }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/receipts/:id',
      summary:
        'The receipt of one exchange: who, what, where it went and why, what it used and cost, its place in the chain',
      handle: async ({ parameters }) => {
        const id = parameters['id'] ?? '';
        const receipt = await readReceipt(database, id);
        if (receipt !== undefined) return { status: 200, json: receipt };
        const detail = `No exchange \`${id.slice(0, 100)}\` is in the ledger. One that just ended is there within a second.`;
        return new GatewayError('not_found', { detail });
      },
    },
  ];
}
