import type { DatabaseTransaction } from '../store/database.ts';
import { contentHash } from '../store/frame-hash.ts';
import { rowValues } from '../store/row-values.ts';
import type { PriceTablesTable } from '../store/tables/ledger-tables.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

/** What `ExchangeRecord.priceTable` and the column say where the cost is the provider's own bill. */
export const REPORTED = 'reported';
const MOST_KNOWN = 10_000;
const COLUMNS = ['hash', 'rates', 'version'] as const;

/** The rates that costs came from, kept once each by the hash of their text, so that any cost can be computed again. */
export class PriceTables {
  #known = new Map<string, PriceTablesTable>();
  #waiting: PriceTablesTable[] = [];

  hashOf({ priceTable, priceVersion }: RecordView): string | null {
    if (priceTable === undefined) return null;
    if (priceTable === REPORTED) return REPORTED;
    let known = this.#known.get(priceTable);
    if (known === undefined) {
      known = { hash: contentHash(priceTable), rates: priceTable, version: priceVersion ?? '' };
      if (this.#known.size >= MOST_KNOWN) this.#known = new Map();
      this.#known.set(priceTable, known);
      this.#waiting.push(known);
    }
    return known.hash;
  }

  /** In the transaction of the rows that name them. */
  async store(transaction: DatabaseTransaction): Promise<void> {
    if (this.#waiting.length > 0)
      await transaction.insertNew('price_tables', COLUMNS, rowValues(COLUMNS, this.#waiting));
  }

  /** That transaction was committed. */
  stored(): void {
    if (this.#waiting.length > 0) this.#waiting = [];
  }
}
