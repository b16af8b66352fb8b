import { systemCode } from '../store/store-fault.ts';
import { type ExchangeRecord, keptRecord } from '../telemetry/exchange-record.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';
import { BatchRecords } from './batch-records.ts';
import { type JournalPart, readJournal } from './journal-reader.ts';
import type { Segment } from './segment.ts';

/** What waits to be written: a frame in memory, or where frames stand in the journal. */
interface Piece {
  readonly held: HeldFrame | undefined;
  /** Undefined: it is in no journal. */
  readonly segment: Segment | undefined;
  start: number;
  end: number;
  readonly queuedAtMs: number;
  /** Called once everything queued before is in a batch. */
  readonly onReached?: (batch: LedgerBatch) => void;
}

interface HeldFrame {
  readonly bytes: Uint8Array;
  readonly records: number;
  readonly anyPending: boolean;
}

/** Records to be written together, and what falls free once they are. */
export interface LedgerBatch {
  readonly records: BatchRecords;
  /** Something of it was left over from an earlier run: the database may have it. */
  replayed: boolean;
  readonly parts: { readonly segment: Segment; readonly bytes: number }[];
  /** The segments of provisional records that this batch settles. */
  readonly settled: Segment[];
  readonly onCommitted: (() => void)[];
  oldestAtMs: number;
}

export interface Provisional {
  readonly record: ExchangeRecord;
  readonly segment: Segment | undefined;
  readonly sinceMs: number;
}

export interface BacklogOptions {
  /** Records kept as frames; of what comes beyond it only the place in the journal is. */
  readonly mostInMemory: number;
  /** Something of the journal cannot be read. */
  onUnreadable(path: string, reason: string, bytes: number): void;
  /** Records that are in no journal and for which there is no room. */
  onLost(records: number): void;
}

/**
 * In order, so that a provisional record comes before its final one. Bounded: while the database is away memory holds
 * `mostInMemory` records, and for each segment of the journal one place from which to read on.
 */
export class Backlog {
  readonly #o: BacklogOptions;
  readonly #pieces: Piece[] = [];
  readonly #provisional = new Map<string, Provisional>();
  /** The place of each segment to which more may be added. */
  readonly #lastUnread = new WeakMap<Segment, Piece>();
  #inMemory = 0;

  constructor(options: BacklogOptions) {
    this.#o = options;
  }

  /** Records that wait in frames. */
  get inMemory(): number {
    return this.#inMemory;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  get provisional(): number {
    return this.#provisional.size;
  }

  /** Since when the oldest piece waits; undefined: nothing does. */
  get oldestAtMs(): number | undefined {
    return this.#pieces[0]?.queuedAtMs;
  }

  /** A frame as it came from a relay thread, of which the bytes are kept; `segment` where it is in the journal. */
  push({ bytes, length, anyPending }: RecordFrame, segment: Segment | undefined, start: number, end: number): void {
    if (this.#inMemory + length <= this.#o.mostInMemory) {
      this.#inMemory += length;
      const held = { bytes, records: length, anyPending };
      this.#pieces.push({ held, segment, start, end, queuedAtMs: Date.now() });
    } else if (segment) this.pushUnread(segment, start, end);
    else this.#o.onLost(length);
  }

  /** Frames that are to be read from the journal when their turn comes. */
  pushUnread(segment: Segment, start: number, end: number): void {
    const last = this.#lastUnread.get(segment);
    if (last && last.end === start) {
      last.end = end;
      return;
    }
    const piece: Piece = { held: undefined, segment, start, end, queuedAtMs: Date.now() };
    this.#lastUnread.set(segment, piece);
    this.#pieces.push(piece);
  }

  /** `reached` gets the batch in which, or before which, all is that was queued so far. */
  pushMark(reached: (batch: LedgerBatch) => void): void {
    this.#pieces.push({
      held: undefined,
      segment: undefined,
      start: 0,
      end: 0,
      queuedAtMs: Date.now(),
      onReached: reached,
    });
  }

  /** At most about `most` records: a piece is not divided. Undefined: nothing waits. */
  async next(most: number): Promise<LedgerBatch | undefined> {
    const batch: LedgerBatch = {
      records: new BatchRecords(),
      replayed: false,
      parts: [],
      settled: [],
      onCommitted: [],
      oldestAtMs: Date.now(),
    };
    let any = false;
    while (batch.records.count < most) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      any = true;
      batch.oldestAtMs = Math.min(batch.oldestAtMs, piece.queuedAtMs);
      if (piece.held) {
        this.#pieces.shift();
        this.#inMemory -= piece.held.records;
        this.#takeHeld(piece.held, piece.segment, batch);
        if (piece.segment) batch.parts.push({ segment: piece.segment, bytes: piece.end - piece.start });
        continue;
      }
      if (piece.onReached) {
        this.#pieces.shift();
        piece.onReached(batch);
        continue;
      }
      try {
        await this.#read(piece, piece.segment!, most - batch.records.count, batch);
      } catch (error) {
        // What was taken already must not be lost with it; the next call meets the fault again.
        if (batch.parts.length > 0 || batch.records.count > 0) break;
        throw error;
      }
    }
    return any ? batch : undefined;
  }

  async #read(piece: Piece, segment: Segment, most: number, batch: LedgerBatch): Promise<void> {
    batch.replayed ||= segment.thread === undefined;
    const part = await readJournal(segment.path, piece.start, piece.end, most).catch(missing(piece.start));
    for (const frame of part.frames) this.#take(frame, segment, batch);
    // It may have grown meanwhile.
    let next = part.next;
    if (part.broken !== undefined) {
      this.#o.onUnreadable(segment.path, part.broken, piece.end - next);
      next = piece.end;
    }
    batch.parts.push({ segment, bytes: next - piece.start });
    piece.start = next;
    if (piece.start < piece.end) return;
    if (this.#lastUnread.get(segment) === piece) this.#lastUnread.delete(segment);
    this.#pieces.shift();
  }

  #takeHeld({ bytes, records, anyPending }: HeldFrame, segment: Segment | undefined, batch: LedgerBatch): void {
    // Nearly always: then nobody needs to look into it yet.
    if (!anyPending && this.#provisional.size === 0) batch.records.addFrame(bytes, records);
    else this.#take(new RecordFrame(bytes), segment, batch);
  }

  #take(frame: RecordFrame, segment: Segment | undefined, batch: LedgerBatch): void {
    let records = 0;
    for (const record of frame) {
      if (record.pending) {
        if (segment) segment.pending += 1;
        this.#provisional.set(record.id, { record: keptRecord(record), segment, sinceMs: Date.now() });
        continue;
      }
      if (this.#provisional.size > 0) this.#settle(record.id, batch);
      records += 1;
    }
    batch.records.addFrame(frame.bytes, records);
  }

  /** Provisional records for which no final one will come any more become final, once all before this is in a batch. */
  expire(isOver: (provisional: Provisional) => boolean): void {
    this.pushMark((batch) => {
      for (const { record, segment } of [...this.#provisional.values()].filter(isOver)) {
        batch.replayed ||= segment !== undefined && segment.thread === undefined;
        this.#settle(record.id, batch);
        batch.records.add({ ...record, pending: undefined });
      }
    });
  }

  #settle(id: string, batch: LedgerBatch): void {
    const provisional = this.#provisional.get(id);
    if (provisional === undefined) return;
    this.#provisional.delete(id);
    if (provisional.segment) batch.settled.push(provisional.segment);
  }
}

/** Somebody took the file away: waiting for it would be for ever. Any other fault (EIO) may pass. */
function missing(next: number): (error: unknown) => JournalPart {
  return (error) => {
    if (systemCode(error) !== 'ENOENT') throw error;
    return { frames: [], next, broken: 'it is gone' };
  };
}
