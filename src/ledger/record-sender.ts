import type { LedgerSettings } from '../config/server/ledger.ts';
import { reasonOf } from '../store/store-fault.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import { RecordBatcher } from '../telemetry/record-batch.ts';
import type { FromRelayThread, LedgerFrame } from '../threads/messages.ts';
import { JournalWriter } from './journal-writer.ts';

export interface RecordSenderOptions {
  readonly thread: number;
  /** Undefined: no ledger is kept. */
  readonly journalFolder: string | undefined;
  send(message: FromRelayThread, transfer?: readonly ArrayBuffer[]): void;
  /** Frames that the main thread has dealt with. */
  framesTaken(): number;
  /** Exchanges of this thread that are open; by default none. */
  openExchanges?(): number;
  readonly sync?: LedgerSettings['sync'];
}

/** Messages that may be on their way: a message port has no bound of its own. */
const MAX_FRAMES_UNDERWAY = 64;
/** The same where they carry what could not be written into the journal: withheld, it would be lost to the ledger. */
const MOST_UNDERWAY_UNWRITTEN = 256;
/**
 * Half of the 10 ms within which an exchange that ended is in the journal, since timers are late under load. The 10 ms are
 * kept while the thread gets its core. With more to do than two cores can, one frame in 100 to 300 took longer: mostly 10
 * to 20 ms and once 145, nearly always waiting for a core, and shorter timers did not help (9, 9, 8, 8 late frames at 5,
 * 3, 2, 1 ms). Only `ledger.sync: strict`, which writes before it answers, holds whatever the machine does.
 */
const JOURNAL_AFTER_MS = 5;
/**
 * Records in the journal are not urgent any more, nor are those that belong into none, and each message wakes the main thread and,
 * through it, that of the database: two cores that the relay thread then waits for. With
 * one for each frame the journal cost about 3 µs an exchange, with one every 50 ms nothing that could be told from noise
 * (10,000 a second, two cores); without a journal, one every 10 ms cost a burst stream a tenth (1,100 a second). Records are
 * encoded sooner than they are sent: as bytes they are no work for the collector.
 */
const SEND_AFTER_MS = 200;
const MOST_FRAMES_UNSENT = 64;
const MOST_RECORDS_UNSENT = 2_048;

/**
 * Carries the records of a relay thread to the main thread. What belongs into the ledger is written to the journal first: it
 * is not lost when the process dies, nor while the main thread is behind. Then only the message is left out, and the main
 * thread reads the frame from the journal; log lines and metrics of it are lost, and counted. What could not be written
 * into the journal is sent all the same, and what is lost is counted.
 */
export class RecordSender {
  readonly #journal: JournalWriter | undefined;
  readonly #ledgered: RecordBatcher;
  readonly #others: RecordBatcher;
  readonly #send: (message: FromRelayThread, transfer?: readonly ArrayBuffer[]) => void;
  readonly #thread: number;
  readonly #framesTaken: () => number;
  /** In the journal if it can be written, and not sent yet. */
  #unsent: LedgerFrame[] = [];
  /** Unsent records that belong into no journal. */
  #unsentOthers: Uint8Array<ArrayBuffer>[] = [];
  /** Records in these two. */
  #unsentRecords = 0;
  #unsentLedgered = 0;
  /** How many of these records are in no journal. */
  #unsentUnwritten = 0;
  /** Segments that were closed, and not told yet. */
  #closed: { segment: string; end: number }[] = [];
  #sendTimer: NodeJS.Timeout | undefined;
  #framesSent = 0;
  #withheld = 0;
  /** The journal holds all that it may, or more: what comes is not written there. */
  #paused = false;
  /** A record of the ledger was not written to the journal. */
  #unwritten = false;

  constructor(options: RecordSenderOptions) {
    const { thread, journalFolder, send } = options;
    this.#send = send;
    this.#thread = thread;
    this.#framesTaken = options.framesTaken;
    this.#others = new RecordBatcher({
      ready: () => this.#underway < MAX_FRAMES_UNDERWAY,
      send: (frame, records) => {
        this.#unsentOthers.push(frame);
        this.#sendSoon(records);
      },
    });
    if (journalFolder === undefined) {
      this.#ledgered = this.#others;
      return;
    }
    const journal = new JournalWriter({
      folder: journalFolder,
      thread,
      onClosed: (segment, end) => this.#closed.push({ segment, end }),
      onFault: (error) => send({ type: 'journal-failed', thread, reason: reasonOf(error) }),
      onRoom: (fault) =>
        send({ type: 'journal-room', thread, fault: fault === undefined ? undefined : reasonOf(fault) }),
      open: () => (options.openExchanges?.() ?? 0) + this.#ledgered.waiting,
      ...(options.sync && { sync: options.sync }),
    });
    this.#journal = journal;
    this.#ledgered = new RecordBatcher({
      flushAfterMs: JOURNAL_AFTER_MS,
      send: (frame, records) => {
        const place = this.#paused ? undefined : journal.append(frame);
        this.#unsent.push({ frame, place });
        this.#unsentLedgered += records;
        if (place === undefined) {
          this.#unsentUnwritten += records;
          this.#unwritten = true;
        }
        this.#sendSoon(records);
        this.#sendClosed();
      },
    });
  }

  /** Records that were left out of log and metrics because the main thread was behind. */
  get dropped(): number {
    return this.#ledgered === this.#others ? this.#others.dropped : this.#others.dropped + this.#withheld;
  }

  get #underway(): number {
    return this.#framesSent - this.#framesTaken();
  }

  get hasJournal(): boolean {
    return this.#journal !== undefined;
  }

  add(record: ExchangeRecord): void {
    if (isLedgered(record)) this.#ledgered.add(record);
    else this.#others.add(record);
  }

  /** Whether one more exchange may begin: its record has room in the journal. */
  hasRoom(): boolean {
    return this.#journal === undefined || this.#journal.hasRoom();
  }

  /** From now on nothing is written into the journal, or it is again. */
  pauseJournal(paused: boolean): void {
    this.#paused = paused;
  }

  /** What was added so far is in the journal when this returns; false: it could not be written there. */
  writeJournal(): boolean {
    if (this.#journal === undefined) return true;
    this.#unwritten = false;
    this.#ledgered.flush();
    return !this.#unwritten;
  }

  /** A few times a second. */
  tick(): void {
    this.#journal?.tick();
    this.#sendClosed();
  }

  /** The thread ends: what is unsent leaves. */
  close(): void {
    this.#ledgered.flush();
    this.#others.flush();
    this.#sendFrames();
    this.#journal?.close();
    this.#sendClosed();
  }

  #sendSoon(records: number): void {
    this.#unsentRecords += records;
    const frames = this.#unsent.length + this.#unsentOthers.length;
    if (frames >= MOST_FRAMES_UNSENT || this.#unsentRecords >= MOST_RECORDS_UNSENT) this.#sendFrames();
    else this.#sendTimer ??= setTimeout(() => this.#sendFrames(), SEND_AFTER_MS);
  }

  #sendFrames(): void {
    clearTimeout(this.#sendTimer);
    this.#sendTimer = undefined;
    this.#unsentRecords = 0;
    if (this.#unsentOthers.length > 0) this.#sendOthers();
    if (this.#unsent.length > 0) this.#sendLedgered();
  }

  #sendOthers(): void {
    const frames = this.#unsentOthers;
    this.#unsentOthers = [];
    this.#framesSent += 1;
    const transfer = frames.map(({ buffer }) => buffer);
    this.#send({ type: 'records', thread: this.#thread, frames }, transfer);
  }

  #sendLedgered(): void {
    let frames = this.#unsent;
    const records = this.#unsentLedgered;
    const unwritten = this.#unsentUnwritten;
    this.#unsent = [];
    this.#unsentLedgered = 0;
    this.#unsentUnwritten = 0;
    if (this.#underway >= MAX_FRAMES_UNDERWAY) {
      const none = unwritten === 0 || this.#underway >= MOST_UNDERWAY_UNWRITTEN;
      this.#withheld += none ? records : records - unwritten;
      if (none && unwritten > 0) this.#send({ type: 'ledger-lost', thread: this.#thread, records: unwritten });
      if (none) return;
      frames = frames.filter(({ place }) => place === undefined);
    }
    this.#framesSent += 1;
    const transfer = frames.map(({ frame }) => frame.buffer);
    this.#send({ type: 'ledger-records', thread: this.#thread, frames }, transfer);
  }

  /** Behind the frames that stand in it, or the main thread would take those for withheld and read them too. */
  #sendClosed(): void {
    if (this.#closed.length === 0) return;
    this.#sendFrames();
    for (const { segment, end } of this.#closed)
      this.#send({ type: 'journal-closed', thread: this.#thread, segment, end });
    this.#closed = [];
  }
}

/**
 * Requests for inference by somebody who is known: a flood of strangers must not fill the ledger. Those that are refused
 * because it is full would have no room in it.
 */
function isLedgered(record: ExchangeRecord): boolean {
  return record.subject !== undefined && record.method === 'POST' && record.errorCode !== 'ledger_full';
}
