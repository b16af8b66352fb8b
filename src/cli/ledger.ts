import { readReceipt } from '../ledger/receipt.ts';
import { verifyLedger } from '../ledger/verify.ts';
import type { DatabasePlace } from '../store/database.ts';
import { recomputedNanoUsd } from '../usage/price-basis.ts';
import { plural } from './plural.ts';
import { type CommandOutput, withExistingDatabase } from './with-database.ts';

/** `sluice ledger verify`: computes every chain and every cost again. 1 where something does not hold, or there is nothing. */
export async function ledgerVerify(place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const found = await verifyLedger(database, recomputedNanoUsd);
    for (const { gateway, seq, id, reason } of found.faults)
      output.error(`${gateway} row ${seq}${id === undefined ? '' : ` (${id})`}: ${reason}`);
    const more = found.faultCount - found.faults.length;
    if (more > 0) output.error(`and ${more} more`);
    if (found.chains === 0) {
      output.error('No gateway has written to this ledger: nothing was verified');
      return 1;
    }
    output.out(
      `${plural(found.rows, 'row')} in ${plural(found.chains, 'chain')}: cost of ${found.recomputed} computed again, ` +
        `${found.reported} billed by the provider itself, ${found.withoutCost} without cost; ` +
        plural(found.faultCount, 'fault'),
    );
    return found.faultCount === 0 ? 0 : 1;
  });
}

/** `sluice ledger receipt ID`: as GET /admin/receipts/ID gives it. */
export async function ledgerReceipt(id: string, place: DatabasePlace, output: CommandOutput): Promise<number> {
  return withExistingDatabase(place, output, async (database) => {
    const receipt = await readReceipt(database, id);
    if (receipt === undefined) {
      output.error(`No exchange ${JSON.stringify(id)} is in the ledger`);
      return 1;
    }
    output.out(JSON.stringify(receipt, null, 2));
    return 0;
  });
}
