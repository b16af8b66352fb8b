import { join } from 'node:path';
import { MAGIC } from './journal-format.ts';

/** A segment as the main thread knows it: what of it is there, and what of that the database has. */
export class Segment {
  readonly path: string;
  /** Relay thread that writes it; undefined: left over from an earlier run. */
  readonly thread: number | undefined;
  /** Frames up to here are known of. */
  knownEnd = MAGIC.length;
  /** The length of the whole segment; undefined: it still grows. */
  end: number | undefined;
  /** Bytes of frames whose records are committed. */
  committedBytes = 0;
  /** Provisional records in it whose final ones are not committed yet. */
  pending = 0;

  constructor(folder: string, name: string, thread: number | undefined) {
    this.path = join(folder, name);
    this.thread = thread;
  }

  /** Nothing in it is needed any more. */
  get finished(): boolean {
    if (this.end === undefined || this.pending > 0) return false;
    return this.committedBytes >= this.end - MAGIC.length;
  }

  get bytes(): number {
    return this.end ?? this.knownEnd;
  }
}
