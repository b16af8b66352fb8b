import { reasonOf } from '../store/store-fault.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import { RecordBatcher } from '../telemetry/record-batch.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import { JournalWriter } from './journal-writer.ts';

export interface RecordSenderOptions {
  readonly thread: number;
  /** Undefined: no ledger is kept. */
  readonly journalFolder: string | undefined;
  send(message: FromRelayThread, transfer?: readonly ArrayBuffer[]): void;
  /** Frames that the main thread has dealt with. */
  framesTaken(): number;
}

/** Frames of up to 512 records that may be on their way: a message port has no bound of its own. */
const MAX_FRAMES_UNDERWAY = 64;
/** Half of the 10 ms within which an exchange that ended must be in the journal: timers are late under load. */
const JOURNAL_AFTER_MS = 5;

/**
 * Carries the records of a relay thread to the main thread. What belongs into the ledger is written to the journal first: it
 * is not lost when the process dies, nor while the main thread is behind. Then only the message is left out, and the main
 * thread reads the frame from the journal; log lines and metrics of it are lost, and counted.
 */
export class RecordSender {
  readonly #journal: JournalWriter | undefined;
  readonly #ledgered: RecordBatcher;
  readonly #others: RecordBatcher;
  #framesSent = 0;
  #withheld = 0;

  constructor(options: RecordSenderOptions) {
    const { thread, journalFolder, send } = options;
    const ready = (): boolean => this.#framesSent - options.framesTaken() < MAX_FRAMES_UNDERWAY;
    this.#others = new RecordBatcher({
      ready,
      send: (frame) => {
        this.#framesSent += 1;
        send({ type: 'records', thread, frame }, [frame.buffer]);
      },
    });
    if (journalFolder === undefined) {
      this.#ledgered = this.#others;
      return;
    }
    const journal = new JournalWriter({
      folder: journalFolder,
      thread,
      onClosed: (segment, end) => send({ type: 'journal-closed', thread, segment, end }),
      onFault: (error) => send({ type: 'journal-failed', thread, reason: reasonOf(error) }),
    });
    this.#journal = journal;
    this.#ledgered = new RecordBatcher({
      flushAfterMs: JOURNAL_AFTER_MS,
      send: (frame, records) => {
        const place = journal.append(frame);
        if (!ready()) {
          this.#withheld += records;
          return;
        }
        this.#framesSent += 1;
        send({ type: 'ledger-records', thread, frame, place }, [frame.buffer]);
      },
    });
  }

  /** Records that were left out of log and metrics because the main thread was behind. */
  get dropped(): number {
    return this.#ledgered === this.#others ? this.#others.dropped : this.#others.dropped + this.#withheld;
  }

  get hasJournal(): boolean {
    return this.#journal !== undefined;
  }

  /** The record must not be changed afterwards. */
  add(record: ExchangeRecord): void {
    if (isLedgered(record)) this.#ledgered.add(record);
    else this.#others.add(record);
  }

  /** What was added so far is in the journal when this returns. */
  writeJournal(): void {
    if (this.#journal) this.#ledgered.flush();
  }

  /** A few times a second. */
  tick(): void {
    this.#journal?.tick();
  }

  /** For the end of the thread. */
  close(): void {
    this.#ledgered.flush();
    this.#others.flush();
    this.#journal?.close();
  }
}

/** Requests for inference by somebody who is known: a flood of strangers must not fill the ledger. */
function isLedgered(record: ExchangeRecord): boolean {
  return record.subject !== undefined && record.method === 'POST';
}
