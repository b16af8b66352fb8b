import type { LedgerSettings } from '../config/server/ledger.ts';
import { GatewayError } from '../core/errors.ts';
import type { RecordSender } from '../ledger/record-sender.ts';

/**
 * Whether the record of one more exchange has room: in the journal, which the main thread bounds, and on its disk. A gateway
 * that serves all the same (`ledger.when_full`) writes no journal while it is full.
 */
export class LedgerRoom {
  readonly #records: Pick<RecordSender, 'hasRoom' | 'pauseJournal'>;
  readonly #settings: () => LedgerSettings;
  #isFull: boolean;

  constructor(
    records: Pick<RecordSender, 'hasRoom' | 'pauseJournal'>,
    settings: () => LedgerSettings,
    isFull: boolean,
  ) {
    this.#records = records;
    this.#settings = settings;
    this.#isFull = isFull;
    this.reconfigure();
  }

  /** New exchanges are refused where there is no room. */
  get refuses(): boolean {
    return this.#settings().whenFull === 'refuse';
  }

  setFull(isFull: boolean): void {
    this.#isFull = isFull;
    this.reconfigure();
  }

  /** The settings may be others than before. */
  reconfigure(): void {
    this.#records.pauseJournal(this.#isFull && !this.refuses);
  }

  /** Why no exchange may begin now. */
  refusal(): GatewayError | undefined {
    const fits = this.#records.hasRoom() && !this.#isFull;
    return fits || !this.refuses ? undefined : this.#error();
  }

  #error(): GatewayError {
    const { maxJournalBytes } = this.#settings();
    return new GatewayError('ledger_full', {
      ...(this.#isFull
        ? { setting: `ledger.max_journal_bytes: ${maxJournalBytes}` }
        : { detail: 'The disk of data_dir has no room for it, or no file can be opened there: the log says which.' }),
      retryAfterMs: 5_000,
    });
  }
}
