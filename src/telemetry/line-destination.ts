import pino from 'pino';

/** Where finished log lines go; one for the whole process. */
export interface LineDestination {
  /** Whole lines with their line feeds. The bytes are kept until they have left, so they must not change. */
  write(lines: string | Buffer): void;
}

export interface BufferedDestination extends LineDestination {
  /** Lines thrown away because the reader of our output did not keep up. */
  readonly dropped: number;
  /**
   * For the end of the process: settles when all is written, or gives up after a second where nobody reads. Without
   * that, a stuck log shipper would hold the exit for ever, since what is left is written while the process ends.
   */
  flush(): Promise<void>;
}

const GIVE_UP_MS = 1000;

/**
 * Standard output through a buffer: written when 64 KiB are full, after a second at the latest, and at exit. Bounded: a
 * reader that stopped reading costs 8 MiB, then lines are dropped and counted.
 *
 * Only the main thread may own it: lines of two buffers on one pipe would be mixed within a line. Relay threads post
 * their lines (log.ts).
 */
export function bufferedDestination(fd = 1): BufferedDestination {
  const stream = pino.destination({
    fd,
    sync: false,
    contentMode: 'buffer',
    minLength: 65_536,
    maxWrite: 262_144,
    maxLength: 8 * 1024 * 1024,
    periodicFlush: 1000,
  });
  let dropped = 0;
  let givenUp = false;
  stream.on('drop', () => {
    dropped += 1;
  });
  return {
    get dropped() {
      return dropped;
    },
    write: (lines) => {
      if (givenUp) dropped += 1;
      // Its type knows text only; `contentMode` makes it take bytes.
      else stream.write((typeof lines === 'string' ? Buffer.from(lines) : lines) as unknown as string);
    },
    flush: () =>
      new Promise((resolve) => {
        if (givenUp) {
          resolve();
          return;
        }
        const timer = setTimeout(() => {
          givenUp = true;
          stream.destroy();
          resolve();
        }, GIVE_UP_MS);
        // What it calls back with is of syncing the file, which a pipe cannot.
        stream.flush(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
