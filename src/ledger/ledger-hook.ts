import type { DatabaseTransaction } from '../store/database.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

/** A keeper of sums beside the rows (budgets are one) that must never differ from them. */
export interface LedgerHook {
  /**
   * Begins one try to write one batch. Many a try is dropped and made anew: nothing else may change before
   * `committed`.
   */
  begin(): LedgerSums;
}

/** What the records of one batch add up to. */
export interface LedgerSums {
  /** Each record whose row is new, as it passes: none comes twice, also not after a crash. */
  add(record: RecordView): void;
  /**
   * Behind the last record, inside the transaction that writes the rows. A throw rolls the batch back, and it is tried
   * again. Rows are upserted in a fixed order, or gateways of a cluster deadlock.
   */
  write(transaction: DatabaseTransaction): Promise<void>;
  /** After the commit, exactly once. Must not throw; nobody waits for a promise. */
  committed(): void;
}
