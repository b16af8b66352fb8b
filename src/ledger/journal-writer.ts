import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalPlace } from '../threads/messages.ts';
import { FRAME_HEAD_BYTES, MAGIC, writeFrameHead } from './journal-format.ts';

export interface JournalWriterOptions {
  /** Of this run of the gateway; there already. */
  readonly folder: string;
  readonly thread: number;
  /** No more frames will be put into this segment, which ends at `end`. */
  onClosed(segment: string, end: number): void;
  /** A frame could not be written: it is not in the journal. Told for every one. */
  onFault(error: unknown): void;
  readonly segmentBytes?: number;
  readonly segmentMs?: number;
}

interface Segment {
  readonly name: string;
  readonly file: number;
  readonly openedAt: number;
  end: number;
}

/**
 * On a relay thread: appends frames of records to a file of its own, each in one write. That is the only file the way of
 * an exchange knows; written, it outlives the process but not the machine's power. Segments are closed after 4 MiB or 5 s,
 * so that the main thread can drop what the database has.
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

  constructor(options: JournalWriterOptions) {
    this.#o = options;
    this.#segmentBytes = options.segmentBytes ?? 4 * 1024 * 1024;
    this.#segmentMs = options.segmentMs ?? 5_000;
  }

  /** Undefined: it could not be written (disk full, input/output error), and nothing of it stands there. */
  append(frame: Uint8Array): JournalPlace | undefined {
    let segment: Segment | undefined;
    try {
      segment = this.#segment ?? this.#open();
      writeFrameHead(this.#head, frame);
      const isFirst = segment.end === 0;
      const pieces = isFirst ? [MAGIC, this.#head, frame] : [this.#head, frame];
      const bytes = FRAME_HEAD_BYTES + frame.length + (isFirst ? MAGIC.length : 0);
      const written = writevSync(segment.file, pieces);
      if (written !== bytes) throw new ShortWrite(`${written} of ${bytes} bytes were written`);
      const start = isFirst ? MAGIC.length : segment.end;
      const end = segment.end + bytes;
      segment.end = end;
      const place = { segment: segment.name, start, end };
      if (end >= this.#segmentBytes) this.close();
      return place;
    } catch (error) {
      if (segment) this.#giveUp(segment);
      this.#o.onFault(error);
      return undefined;
    }
  }

  /** Now and then: a segment that is old enough is closed, also if nothing more comes. */
  tick(): void {
    if (this.#segment && performance.now() - this.#segment.openedAt >= this.#segmentMs) this.close();
  }

  close(): void {
    const segment = this.#segment;
    if (!segment) return;
    this.#segment = undefined;
    closeQuietly(segment.file);
    this.#o.onClosed(segment.name, segment.end);
  }

  #open(): Segment {
    const name = `${this.#o.thread}-${this.#stem}-${this.#count}.journal`;
    this.#count += 1;
    const file = openSync(join(this.#o.folder, name), 'wx', 0o600);
    this.#segment = { name, file, openedAt: performance.now(), end: 0 };
    return this.#segment;
  }

  /** What a failed write left behind would end the reading of all that follows: it is cut off, and a new segment begun. */
  #giveUp(segment: Segment): void {
    try {
      ftruncateSync(segment.file, segment.end);
    } catch {
      // EIO: the checksum says it too, as long as nothing is written behind it.
    }
    this.close();
  }
}

class ShortWrite extends Error {
  readonly code = 'ENOSPC';
}

function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch {
    // EIO of an earlier write: that one was noticed, and nothing can be done about the file.
  }
}
