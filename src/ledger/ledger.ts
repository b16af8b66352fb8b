import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LedgerSettings } from '../config/server/ledger.ts';
import type { Log } from '../core/log.ts';
import type { Database } from '../store/database.ts';
import { isRowFault, reasonOf } from '../store/store-fault.ts';
import { keptRecord, type RecordView } from '../telemetry/exchange-record.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import type { JournalPlace } from '../threads/messages.ts';
import { Backlog, type LedgerBatch } from './backlog.ts';
import { MAGIC } from './journal-format.ts';
import { adoptRuns, beginRun, type JournalRun, type LeftoverRun } from './journal-runs.ts';
import type { LedgerHook } from './ledger-hook.ts';
import { type Doubles, LedgerWriter } from './ledger-writer.ts';
import { Retention } from './retention.ts';
import { Segment } from './segment.ts';

export interface LedgerOptions {
  readonly database: Database;
  readonly dataDir: string;
  readonly gatewayId: string;
  readonly settings: LedgerSettings;
  readonly hooks: readonly LedgerHook[];
  readonly log: Log;
  /** The journal holds all that it may, in `maxJournalBytes`: nothing new may be begun until it holds less. */
  onFull(full: boolean): void;
}

export interface LedgerCounts {
  readonly rows: number;
  /** Age of the oldest record that is not in the database yet. */
  readonly lagSeconds: number;
  readonly journalBytes: number;
  readonly failures: Readonly<Record<'journal' | 'database' | 'row', number>>;
  /** Records that are in neither the journal nor the database. */
  readonly lost: number;
}

const BATCH_ROWS = 4_000;
const BATCH_MS = 250;
const MOST_IN_MEMORY = 20_000;
const RETRY_FIRST_MS = 250;
const RETRY_LONGEST_MS = 5_000;
/** Settlement gives an estimate up after five seconds; a final record that is later than this does not come. */
const PROVISIONAL_MS = 30_000;
/** How often provisional records are looked at, and how often the same trouble is told. */
const LOOK_MS = 5_000;
const TELL_AGAIN_MS = 10_000;

/**
 * The main thread's half of the ledger: takes records from relay threads, writes them in batches, and drops segments of the
 * journal once the database has what is in them. While the database is away everything goes on; the journal grows.
 */
export class Ledger {
  /** Segments of relay threads go here. */
  readonly journalFolder: string;
  /** Everything that earlier runs left in their journals is in the database. */
  readonly replayed: Promise<void>;
  readonly #o: LedgerOptions;
  #settings: LedgerSettings;
  readonly #run: JournalRun;
  readonly #writer: LedgerWriter;
  readonly #retention: Retention;
  readonly #backlog: Backlog;
  /** Segments of this run and of earlier ones, until they are dropped. */
  readonly #segments = new Map<string, Segment>();
  #journalBytes = 0;
  #full = false;
  /** Relay threads whose journal can reserve no more room, and why. */
  readonly #withoutRoom = new Map<number, string>();
  #unlinking: Promise<void> = Promise.resolve();
  #batch: LedgerBatch | undefined;
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  readonly #looking: NodeJS.Timeout;
  #closing = false;
  #rows = 0;
  #lost = 0;
  readonly #failures = { journal: 0, database: 0, row: 0 };
  readonly #toldAt = new Map<string, number>();

  constructor(options: LedgerOptions, run: JournalRun, leftovers: readonly LeftoverRun[]) {
    this.#o = options;
    this.#settings = options.settings;
    this.#run = run;
    this.journalFolder = run.folder;
    this.#writer = new LedgerWriter({ ...options, metadataKeys: options.settings.metadataKeys });
    this.#retention = new Retention(options.database, () => this.#settings, options.log);
    this.#backlog = new Backlog({
      mostInMemory: MOST_IN_MEMORY,
      onUnreadable: (path, reason, bytes) => {
        this.#failures.journal += 1;
        options.log.warn({ path, reason, bytes }, 'the rest of a journal segment cannot be read and is left out');
      },
      onLost: (records) => this.#lose(records),
    });
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
    this.replayed = this.#replay(leftovers);
  }

  get counts(): LedgerCounts {
    const oldest = this.#batch?.oldestAtMs ?? this.#backlog.oldestAtMs;
    return {
      rows: this.#rows,
      lagSeconds: oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000,
      journalBytes: this.#journalBytes,
      failures: this.#failures,
      lost: this.#lost,
    };
  }

  /** Why new exchanges may be refused; undefined: there is room for them. */
  get fullReason(): string | undefined {
    if (this.#full) return `the ledger's journal holds ledger.max_journal_bytes: ${this.#settings.maxJournalBytes}`;
    const [fault] = this.#withoutRoom.values();
    return fault && `the ledger's journal has no room: ${fault}`;
  }

  reconfigure(settings: LedgerSettings): void {
    this.#settings = settings;
    this.#writer.keepMetadata(settings.metadataKeys);
  }

  /** Records of a relay thread; `place` where their frame stands in its journal. */
  take(thread: number, frame: RecordFrame, place: JournalPlace | undefined): void {
    if (place === undefined) this.#backlog.push(frame, undefined, 0, 0);
    else {
      const segment = this.#segmentOf(place.segment, thread);
      // The journal reader already takes these frames: they must not be written twice.
      if (place.end <= segment.knownEnd) return;
      if (segment.knownEnd < place.start) this.#backlog.pushUnread(segment, segment.knownEnd, place.start);
      this.#backlog.push(frame, segment, place.start, place.end);
      this.#grow(segment, place.end);
    }
    this.#schedule();
  }

  /** A relay thread writes no more into a segment: frames that it did not send are read from there. */
  segmentClosed(thread: number, name: string, end: number): void {
    const segment = this.#segmentOf(name, thread);
    if (segment.knownEnd < end) this.#backlog.pushUnread(segment, segment.knownEnd, end);
    this.#grow(segment, end);
    segment.end = end;
    this.#drop(segment);
    this.#schedule();
  }

  journalFailed(thread: number, reason: string): void {
    this.#failures.journal += 1;
    this.#tell('journal', { thread, reason }, 'the journal cannot be written; the ledger is kept in memory meanwhile');
  }

  /** `fault`: why the journal of a relay thread can reserve no more room; undefined: it can again. */
  journalRoom(thread: number, fault: string | undefined): void {
    if (fault === undefined) {
      if (this.#withoutRoom.delete(thread) && this.#withoutRoom.size === 0)
        this.#o.log.info({ thread }, 'the journal has room again');
      return;
    }
    this.#failures.journal += 1;
    this.#withoutRoom.set(thread, fault);
    const then = this.#settings.whenFull === 'refuse' ? 'new requests are refused' : 'records may be lost';
    this.#tell('room', { thread, fault }, `the journal can reserve no more room: ${then} until it can`);
  }

  /** Records that a relay thread lost: they are in no journal, and could not be sent. */
  recordsLost(records: number): void {
    this.#lose(records);
  }

  /** A thread died: its journal is read to the end, and no final record comes from it any more. */
  threadDied(thread: number): void {
    this.#withoutRoom.delete(thread);
    const its = [...this.#segments.values()].filter((segment) => segment.thread === thread);
    // The number does not tell: the thread that takes its place has it too.
    const expire = (): void => this.#backlog.expire(({ segment }) => segment !== undefined && its.includes(segment));
    for (const segment of its) {
      if (segment.end !== undefined) continue;
      // This happens at once, or the next look would wait for a thread that is gone.
      segment.end = Number.POSITIVE_INFINITY;
      stat(segment.path).then(
        ({ size }) => {
          segment.end = undefined;
          this.segmentClosed(thread, nameOf(segment), Math.max(size, segment.knownEnd));
          expire();
          this.#schedule();
        },
        (error) => {
          segment.end = segment.knownEnd;
          this.#drop(segment);
          this.journalFailed(thread, reasonOf(error));
        },
      );
    }
    expire();
    this.#schedule();
  }

  /** Relay threads have ended: writes what waits. What the database does not take by then stays in the journal. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#looking);
    this.#retention.stop();
    this.#backlog.expire(() => true);
    const giveUp = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
    await Promise.race([this.#drain(), giveUp]);
    clearTimeout(this.#timer);
    await this.#unlinking;
    await this.#run.release();
  }

  async #drain(): Promise<void> {
    await this.#working;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#work();
  }

  async #replay(leftovers: readonly LeftoverRun[]): Promise<void> {
    for (const run of leftovers) {
      const { folder, segments } = run;
      const bytes = segments.reduce((sum, each) => sum + each.bytes, 0);
      if (bytes > 0)
        this.#o.log.info({ folder, segments: segments.length, bytes }, 'the journal of an earlier run is replayed');
      for (const { name, bytes: end } of segments) {
        const segment = new Segment(folder, name, undefined);
        this.#segments.set(segment.path, segment);
        this.#grow(segment, end);
        segment.end = end;
        if (end > MAGIC.length) this.#backlog.pushUnread(segment, MAGIC.length, end);
        else this.#drop(segment);
      }
      await new Promise<void>((resolve) => {
        this.#backlog.expire(({ segment }) => segment !== undefined && segment.thread === undefined);
        this.#backlog.pushMark((batch) => batch.onCommitted.push(resolve));
        // This happens at once: a start waits for it, and nothing more will come.
        void this.#work();
      });
      await this.#unlinking;
      await run.release();
    }
  }

  // ── segments ──────────────────────────────────────────────────────────────

  #segmentOf(name: string, thread: number): Segment {
    const path = join(this.journalFolder, name);
    let segment = this.#segments.get(path);
    if (segment === undefined) {
      segment = new Segment(this.journalFolder, name, thread);
      this.#segments.set(path, segment);
    }
    return segment;
  }

  #grow(segment: Segment, end: number): void {
    if (end <= segment.knownEnd) return;
    this.#journalBytes += end - segment.knownEnd;
    segment.knownEnd = end;
    this.#checkFull();
  }

  #drop(segment: Segment): void {
    if (!segment.finished || !this.#segments.delete(segment.path)) return;
    this.#journalBytes -= segment.knownEnd - MAGIC.length;
    this.#checkFull();
    this.#unlinking = this.#unlinking
      .then(() => unlink(segment.path))
      .catch((error) => this.journalFailed(segment.thread ?? -1, reasonOf(error)));
  }

  #checkFull(): void {
    const most = this.#settings.maxJournalBytes;
    // The mark lies a tenth below, or the journal would open and shut with every segment.
    const full = this.#journalBytes > (this.#full ? most * 0.9 : most);
    if (full === this.#full) return;
    this.#full = full;
    if (full)
      this.#o.log.error(
        { bytes: this.#journalBytes },
        'the journal is full: new requests are refused until the database takes rows',
      );
    else this.#o.log.info({ bytes: this.#journalBytes }, 'the journal has room again');
    this.#o.onFull(full);
  }

  // ── batches ───────────────────────────────────────────────────────────────

  #schedule(): void {
    if (this.#working || this.#closing || this.#backlog.isEmpty) return;
    // While the database fails, only the timer tries again.
    if (this.#retryMs === RETRY_FIRST_MS && this.#backlog.inMemory >= BATCH_ROWS) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#work();
    } else this.#timer ??= setTimeout(() => this.#onTimer(), BATCH_MS);
  }

  #onTimer(): void {
    this.#timer = undefined;
    void this.#work();
  }

  /** Writes until nothing waits or the database does not take it. Never rejects. */
  #work(): Promise<void> {
    this.#working ??= this.#writeAll().finally(() => {
      this.#working = undefined;
      this.#schedule();
    });
    return this.#working;
  }

  async #writeAll(): Promise<void> {
    try {
      for (;;) {
        this.#batch ??= await this.#backlog.next(BATCH_ROWS);
        if (this.#batch === undefined) return;
        const { records, replayed } = this.#batch;
        if (records.count > 0) this.#rows += await this.#write(records, replayed ? 'possible' : 'none');
        this.#retryMs = RETRY_FIRST_MS;
        this.#committed(this.#batch);
        this.#batch = undefined;
        // What came during a commit waits for more: a commit costs as much as some hundred rows (bench: ledger-cost).
        const isBehind = replayed || records.count >= BATCH_ROWS || this.#backlog.inMemory >= BATCH_ROWS;
        if (!isBehind && !this.#closing) return;
        // Other work of this thread has its turn between two batches.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.#failures.database += 1;
      this.#tell('database', { error }, 'the ledger cannot be written; it waits in the journal');
      if (this.#closing) return;
      this.#timer ??= setTimeout(() => this.#onTimer(), this.#retryMs);
      this.#retryMs = Math.min(RETRY_LONGEST_MS, this.#retryMs * 2);
    }
  }

  /** A row that the database refuses for what is in it must not hold up all others for ever. */
  async #write(views: Iterable<RecordView>, doubles: Doubles): Promise<number> {
    try {
      return await this.#writer.write(views, doubles);
    } catch (error) {
      if (!isRowFault(error)) throw error;
      const records = Array.from(views, keptRecord);
      const [only] = records;
      if (records.length === 1 && only) {
        this.#failures.row += 1;
        this.#lost += 1;
        this.#o.log.error(
          { exchange: only.id, error, record: only },
          'a row is refused by the database and is left out',
        );
        return 0;
      }
      const middle = records.length >> 1;
      const first = await this.#write(records.slice(0, middle), doubles);
      return first + (await this.#write(records.slice(middle), doubles));
    }
  }

  #committed({ parts, settled, onCommitted }: LedgerBatch): void {
    for (const segment of settled) segment.pending -= 1;
    for (const { segment, bytes } of parts) segment.committedBytes += bytes;
    for (const segment of settled) this.#drop(segment);
    for (const { segment } of parts) this.#drop(segment);
    for (const each of onCommitted) each();
  }

  #look(): void {
    const before = Date.now() - PROVISIONAL_MS;
    if (this.#backlog.provisional > 0) this.#backlog.expire(({ sinceMs }) => sinceMs < before);
    this.#schedule();
  }

  #lose(records: number): void {
    this.#lost += records;
    this.#tell('lost', { records: this.#lost }, 'records of usage are lost: neither journal nor database takes them');
  }

  #tell(kind: string, fields: object, message: string): void {
    const now = performance.now();
    if (now - (this.#toldAt.get(kind) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return;
    this.#toldAt.set(kind, now);
    this.#o.log.error(fields, message);
  }
}

/** Begins a run of the journal and takes over what earlier ones left. */
export async function startLedger(options: LedgerOptions): Promise<Ledger> {
  const folder = join(options.dataDir, 'journal');
  const run = await beginRun(folder);
  return new Ledger(options, run, await adoptRuns(folder, run.folder));
}

function nameOf(segment: Segment): string {
  return segment.path.slice(segment.path.lastIndexOf('/') + 1);
}
