import { readReceipt } from '../ledger/receipt.ts';
import { verifyLedger } from '../ledger/verify.ts';
import type { DatabasePlace } from '../store/database.ts';
import { recomputedNanoUsd } from '../usage/price-basis.ts';
import { type CommandOutput, withDatabase } from './with-database.ts';

/** `sluice ledger verify`: computes every chain and every cost again. 1 where something does not hold. */
export async function ledgerVerify(place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withDatabase(place, output, async (database) => {
    const found = await verifyLedger(database, recomputedNanoUsd);
    for (const { gateway, seq, id, reason } of found.faults)
      output.error(`${gateway} row ${seq}${id === undefined ? '' : ` (${id})`}: ${reason}`);
    const more = found.faultCount - found.faults.length;
    if (more > 0) output.error(`and ${more} more`);
    output.out(
      `${found.rows} rows in ${found.chains} chains: cost of ${found.recomputed} computed again, ` +
        `${found.reported} billed by the provider itself, ${found.withoutCost} without cost; ${found.faultCount} faults`,
    );
    return found.faultCount === 0 ? 0 : 1;
  });
}

/** `sluice ledger receipt ID`: as GET /admin/receipts/ID gives it. */
export async function ledgerReceipt(id: string, place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withDatabase(place, output, async (database) => {
    const receipt = await readReceipt(database, id);
    if (receipt === undefined) {
      output.error(`No exchange ${JSON.stringify(id)} is in the ledger`);
      return 1;
    }
    output.out(JSON.stringify(receipt, null, 2));
    return 0;
  });
}
