import { writeSync, writev } from 'node:fs';

/** Where finished log lines go; one for the whole process. */
export interface LineDestination {
  /**
   * Whole lines with their line feeds. The bytes are kept until they have left, so they must not change before; then
   * `onLeft` is called, if they ever do.
   */
  write(lines: string | Buffer, onLeft?: () => void): void;
}

export interface BufferedDestination extends LineDestination {
  /** Lines thrown away because the reader of our output did not keep up. */
  readonly dropped: number;
  /**
   * The process ends: this settles when all is written, or gives up after a second in which nothing was read, and
   * after five in all. Without that, a stuck log shipper would hold the exit for ever, since what is left is written
   * while the process ends.
   */
  flush(): Promise<void>;
}

const MOST_BYTES = 8 * 1024 * 1024;
const ENOUGH_BYTES = 65_536;
const LONGEST_WAIT_MS = 500;
const GIVE_UP_MS = 1000;
const LONGEST_FLUSH_MS = 5000;
/** The most pieces of one system call. */
const MOST_PIECES = 256;
/** A pipe that is full says so (EAGAIN): who reads it mostly goes on at once, and else is asked ever more seldom. */
const FULL_FIRST_MS = 1;
const FULL_LONGEST_MS = 64;
const LINE_FEED = 0x0a;
const LINE_END = Buffer.from([LINE_FEED]);

interface Piece {
  readonly bytes: Buffer;
  readonly onLeft: (() => void) | undefined;
}

/**
 * Standard output through a buffer: written when 64 KiB are there, after half a second at the latest, and at exit. Bounded: a
 * reader that stopped reading costs 8 MiB, then lines are dropped and counted. By hand, because pino's destination copies
 * every buffer before it writes it: memory outside of the heap, for which V8 then marked all of it twice a second.
 *
 * Only the main thread may own it: lines of two buffers on one pipe would be mixed within a line. Relay threads post
 * their lines (log.ts).
 */
export function bufferedDestination(fd = 1): BufferedDestination {
  return new Buffered(fd);
}

class Buffered implements BufferedDestination {
  dropped = 0;
  readonly #fd: number;
  /** In order; of those that are being written the first may have left in part. */
  readonly #waiting: Piece[] = [];
  #bytes = 0;
  /** Bytes that have left, ever. */
  #leftInAll = 0;
  /** Bytes of the first that have left. */
  #leftOfFirst = 0;
  /** Pieces in the system call that is under way. */
  #writing = 0;
  /** The beginning of a line has left whose end was dropped: without a line feed the next one would be spoilt by it. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;
  #givenUp = false;
  #fullMs = FULL_FIRST_MS;
  #onEmpty: (() => void)[] = [];

  constructor(fd: number) {
    // Once it is asked for, a pipe does not block any more: a thread that hangs in a write would hold the exit.
    this.#fd = fd === 1 ? process.stdout.fd : fd;
    process.once('exit', () => this.#writeRest());
  }

  write(lines: string | Buffer, onLeft?: () => void): void {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
    if (this.#givenUp || this.#bytes + bytes.length > MOST_BYTES) {
      this.dropped += linesIn(bytes, 0);
      return;
    }
    this.#waiting.push({ bytes, onLeft });
    this.#bytes += bytes.length;
    // While the reader is behind, only the timer asks again.
    if (this.#bytes >= ENOUGH_BYTES && this.#fullMs === FULL_FIRST_MS) this.#begin();
    else this.#beginWithin(LONGEST_WAIT_MS);
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      const deadline = performance.now() + LONGEST_FLUSH_MS;
      let left = this.#leftInAll;
      const timer = setInterval(() => {
        if (left === this.#leftInAll || performance.now() >= deadline) this.#giveUp();
        left = this.#leftInAll;
      }, GIVE_UP_MS);
      this.#onEmpty.push(() => {
        clearInterval(timer);
        resolve();
      });
      if (this.#bytes === 0 || this.#givenUp) this.#tellEmpty();
      else this.#begin();
    });
  }

  #begin(): void {
    if (this.#writing > 0 || this.#bytes === 0 || this.#givenUp) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pieces = this.#waiting.slice(0, MOST_PIECES).map(({ bytes }) => bytes);
    pieces[0] = pieces[0]!.subarray(this.#leftOfFirst);
    this.#writing = pieces.length;
    writev(this.#fd, this.#torn ? [LINE_END, ...pieces] : pieces, (error, written) => this.#onWritten(error, written));
  }

  #beginWithin(waitMs: number): void {
    this.#timer ??= setTimeout(() => {
      // First, or no other would be set where it comes during a write that takes longer.
      this.#timer = undefined;
      this.#begin();
    }, waitMs).unref();
  }

  #onWritten(error: NodeJS.ErrnoException | null, written: number): void {
    const pieces = this.#writing;
    this.#writing = 0;
    if (this.#givenUp) return;
    if (error?.code === 'EAGAIN' || error?.code === 'EBUSY') {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#beginWithin(this.#fullMs);
      this.#fullMs = Math.min(FULL_LONGEST_MS, this.#fullMs * 2);
      return;
    }
    this.#fullMs = FULL_FIRST_MS;
    if (error?.code === 'EPIPE') this.#giveUp();
    // A full disk, say: what is not written now is lost, and what comes later may be.
    else if (error) this.#drop(pieces);
    else this.#leave(written);
    if (this.#bytes === 0) this.#tellEmpty();
    else if (this.#bytes >= ENOUGH_BYTES || this.#onEmpty.length > 0) this.#begin();
    else this.#beginWithin(LONGEST_WAIT_MS);
  }

  #leave(written: number): void {
    const ofLines = this.#torn && written > 0 ? written - LINE_END.length : written;
    if (written > 0) this.#torn = false;
    this.#bytes -= ofLines;
    this.#leftInAll += ofLines;
    let left = this.#leftOfFirst + ofLines;
    let pieces = 0;
    for (; pieces < this.#waiting.length && left >= this.#waiting[pieces]!.bytes.length; pieces += 1)
      left -= this.#waiting[pieces]!.bytes.length;
    this.#leftOfFirst = left;
    for (const { onLeft } of this.#waiting.splice(0, pieces)) onLeft?.();
  }

  #drop(pieces: number): void {
    for (const { bytes } of this.#waiting.splice(0, pieces)) {
      if (this.#leftOfFirst > 0) this.#torn = bytes[this.#leftOfFirst - 1] !== LINE_FEED;
      this.dropped += linesIn(bytes, this.#leftOfFirst);
      this.#bytes -= bytes.length - this.#leftOfFirst;
      this.#leftOfFirst = 0;
    }
  }

  /** Nobody reads, and nobody will. */
  #giveUp(): void {
    this.#givenUp = true;
    this.#drop(this.#waiting.length);
    this.#tellEmpty();
  }

  #tellEmpty(): void {
    const told = this.#onEmpty;
    this.#onEmpty = [];
    for (const each of told) each();
  }

  /** The process ends: nothing is called back any more. What is being written is left to who writes it. */
  #writeRest(): void {
    if (this.#givenUp) return;
    const deadline = performance.now() + GIVE_UP_MS;
    const first = this.#writing;
    const pieces = this.#waiting.slice(first).map(({ bytes }) => bytes);
    if (first === 0 && pieces[0]) pieces[0] = pieces[0].subarray(this.#leftOfFirst);
    const rest = Buffer.concat(first === 0 && this.#torn ? [LINE_END, ...pieces] : pieces);
    for (let at = 0; at < rest.length; ) {
      try {
        at += writeSync(this.#fd, rest, at);
      } catch (error) {
        const full = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        if (!full || performance.now() > deadline) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_FIRST_MS);
      }
    }
  }
}

/** Those that end behind `from`. */
function linesIn(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines += 1;
  return lines;
}
