import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LedgerSettings } from '../config/server/ledger.ts';
import { systemCode } from '../store/store-fault.ts';
import type { JournalPlace } from '../threads/messages.ts';
import { FRAME_HEAD_BYTES, MAGIC, writeFrameHead } from './journal-format.ts';

export interface JournalWriterOptions {
  /** The folder of this run of the gateway; it is there already. */
  readonly folder: string;
  readonly thread: number;
  /** No more frames will be put into this segment, which ends at `end`. */
  onClosed(segment: string, end: number): void;
  /** A frame could not be written: it is not in the journal. Told for every one. */
  onFault(error: unknown): void;
  /** No more room can be reserved, for this reason; undefined: it can be again. Told when that changes. */
  onRoom?(fault: unknown): void;
  /** Exchanges whose records are still to be written; by default none. */
  open?(): number;
  /** `disk`: a frame that was appended outlives the machine's power too. */
  readonly sync?: LedgerSettings['sync'];
  readonly segmentBytes?: number;
  readonly segmentMs?: number;
}

class Segment {
  readonly name: string;
  readonly file: number;
  readonly openedAt = performance.now();
  /** Behind the last frame. */
  end = 0;
  /** Up to here the disk has room for it: zeros, which the next frames overwrite. */
  reserved = 0;

  constructor(name: string, file: number) {
    this.name = name;
    this.file = file;
  }

  get room(): number {
    return this.reserved - this.end;
  }
}

/** Room is reserved in steps of so much: 15 to 20 µs each, for some 200 records. */
const STEP = Buffer.alloc(64 * 1024);
/** The room for one exchange: a provisional record and a final one, each in a frame of its own with all its texts. */
const EXCHANGE_BYTES = 2048;
/** Beyond what is open, so that not each exchange that begins asks the disk. */
const SPARE_BYTES = 32 * 1024;
/** How often a full disk is asked again. */
const ASK_AGAIN_MS = 250;

/**
 * On a relay thread: appends frames of records to a file of its own, each in one write. That is the only file the way of
 * an exchange knows; written, it outlives the process, and the machine's power only with `sync: disk`. Segments are closed
 * after 4 MiB or 5 s, so that the main thread can drop what the database has.
 *
 * An exchange has its room before it begins (`hasRoom`): the file is filled with zeros ahead of the frames, so that a full
 * disk refuses the next exchange and not the record of one that was answered. The next segment has the same room before
 * the last one gives its own back.
 */
export class JournalWriter {
  readonly #o: JournalWriterOptions;
  readonly #segmentBytes: number;
  readonly #segmentMs: number;
  /** A thread that died had another one: names are never used twice. */
  readonly #stem = `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`;
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #count = 0;
  #segment: Segment | undefined;
  /** Takes the place of the segment as soon as it has the room. */
  #next: Segment | undefined;
  /** Since when no room can be reserved, or when that was last tried; 0: it can be. */
  #refusedAt = 0;

  constructor(options: JournalWriterOptions) {
    this.#o = options;
    this.#segmentBytes = options.segmentBytes ?? 4 * 1024 * 1024;
    this.#segmentMs = options.segmentMs ?? 5_000;
  }

  /** Whether the record of one more exchange has room, besides those of all that are open. Reserves it if need be. */
  hasRoom(): boolean {
    const needed = this.#neededBytes(1);
    if (this.#refusedAt === 0 && this.#segment !== undefined && this.#segment.room >= needed) return true;
    return this.#reserve(needed);
  }

  /** Undefined: it could not be written (disk full, input/output error), and nothing of it stands there. */
  append(frame: Uint8Array): JournalPlace | undefined {
    let segment: Segment | undefined;
    try {
      segment = this.#segment ?? this.#begin();
      writeFrameHead(this.#head, frame);
      const isFirst = segment.end === 0;
      const pieces = isFirst ? [MAGIC, this.#head, frame] : [this.#head, frame];
      const bytes = FRAME_HEAD_BYTES + frame.length + (isFirst ? MAGIC.length : 0);
      const written = writevSync(segment.file, pieces, segment.end);
      if (written !== bytes) throw new ShortWrite(`${written} of ${bytes} bytes were written`);
      if (this.#o.sync === 'disk') fdatasyncSync(segment.file);
      const start = isFirst ? MAGIC.length : segment.end;
      const end = segment.end + bytes;
      segment.end = end;
      segment.reserved = Math.max(segment.reserved, end);
      const place = { segment: segment.name, start, end };
      if (end >= this.#segmentBytes || this.#next) this.#moveOn();
      else if (segment.room < this.#neededBytes(0)) this.#reserve(this.#neededBytes(1));
      return place;
    } catch (error) {
      // A disk that is full has room for smaller frames where it was reserved; what a torn one left is written over.
      if (segment && systemCode(error) !== 'ENOSPC') this.#giveUp(segment);
      this.#o.onFault(error);
      return undefined;
    }
  }

  /** Now and then: a segment that is old enough is closed, also if nothing more comes. */
  tick(): void {
    const segment = this.#segment;
    const isOld = segment && performance.now() - segment.openedAt >= this.#segmentMs;
    // One without a frame holds nothing up; the room of exchanges that are open stays.
    if (isOld && (segment.end > 0 || this.#open === 0)) this.#moveOn();
    if (this.#refusedAt > 0) this.#reserve(this.#neededBytes(1));
  }

  close(): void {
    const segment = this.#segment;
    this.#segment = undefined;
    if (segment) this.#end(segment);
    if (this.#next) this.#end(this.#next);
    this.#next = undefined;
  }

  get #open(): number {
    return this.#o.open?.() ?? 0;
  }

  #neededBytes(more: number): number {
    return SPARE_BYTES + (this.#open + more) * EXCHANGE_BYTES;
  }

  #reserve(bytes: number): boolean {
    const now = performance.now();
    if (this.#refusedAt > 0 && now - this.#refusedAt < ASK_AGAIN_MS) return false;
    try {
      const segment = this.#segment ?? this.#begin();
      // After a refusal for some more: it would open and shut with every exchange.
      const wanted = this.#refusedAt === 0 ? bytes : bytes + STEP.length;
      while (segment.room < wanted) extend(segment);
    } catch (error) {
      if (this.#refusedAt === 0) this.#o.onRoom?.(error);
      this.#refusedAt = now;
      // What nobody is open for is the database's, which may need it to take what waits.
      if (this.#open === 0) this.close();
      return false;
    }
    if (this.#refusedAt > 0) this.#o.onRoom?.(undefined);
    this.#refusedAt = 0;
    return true;
  }

  /**
   * To the next segment, once it has the room that this one has: a step a call, so that nobody waits for much of it. Where
   * it cannot have it, all goes on in this one.
   */
  #moveOn(): void {
    const needed = this.#open === 0 ? 0 : this.#neededBytes(0);
    if (needed > 0) {
      if (this.#refusedAt > 0) return;
      try {
        this.#next ??= this.#make();
        if (this.#next.room < needed) extend(this.#next);
        if (this.#next.room < needed) {
          if (this.#segment && this.#segment.room < needed) this.#reserve(needed);
          return;
        }
      } catch {
        // It is asked for again by whoever needs it, which then says why there is none.
        if (this.#next) this.#end(this.#next);
        this.#next = undefined;
        this.#reserve(needed);
        return;
      }
    }
    const next = this.#next;
    this.#next = undefined;
    this.close();
    this.#segment = next;
  }

  #begin(): Segment {
    this.#segment = this.#make();
    return this.#segment;
  }

  #make(): Segment {
    const name = `${this.#o.thread}-${this.#stem}-${this.#count}.journal`;
    this.#count += 1;
    const segment = new Segment(name, openSync(join(this.#o.folder, name), 'wx', 0o600));
    // The file's name is in its folder, which is a file of its own.
    if (this.#o.sync === 'disk') syncFolder(this.#o.folder);
    return segment;
  }

  /** Gives back what was reserved and not used; one without a frame is taken away. */
  #end({ name, file, end, reserved }: Segment): void {
    try {
      if (reserved > end) ftruncateSync(file, end);
      closeSync(file);
      if (end === 0) unlinkSync(join(this.#o.folder, name));
    } catch {
      // EIO of an earlier write: that one was noticed, and zeros behind the last frame are no frame.
    }
    if (end > 0) this.#o.onClosed(name, end);
  }

  /** What a failed write left behind would end the reading of all that follows: it is cut off, and a new segment begun. */
  #giveUp(segment: Segment): void {
    segment.reserved = Number.POSITIVE_INFINITY;
    this.close();
  }
}

function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** By one step. Throws where the disk has no room for it. */
function extend(segment: Segment): void {
  const written = writeSync(segment.file, STEP, 0, STEP.length, segment.reserved);
  segment.reserved += written;
  if (written < STEP.length) throw new ShortWrite(`${written} of ${STEP.length} bytes were reserved`);
}

class ShortWrite extends Error {
  readonly code = 'ENOSPC';
}
