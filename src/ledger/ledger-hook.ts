import type { DatabaseTransaction } from '../store/database.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';

/** Who keeps sums beside the rows (budgets do) and must never differ from them. */
export interface LedgerHook {
  /**
   * Inside the transaction that writes the rows, with the records whose rows are new: none comes twice, also not after a
   * crash. It may be rolled back and called again with the same records, so nothing in memory may be changed here. A throw
   * rolls the batch back, and it is tried again. Rows are upserted in a fixed order, or gateways of a cluster deadlock.
   */
  onRows(records: readonly ExchangeRecord[], transaction: DatabaseTransaction): Promise<void>;
  /** After the commit, the same records, exactly once. Must not throw; nobody waits for a promise. */
  onCommitted(records: readonly ExchangeRecord[]): void;
}
