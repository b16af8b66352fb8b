import pino from 'pino';

/** Where finished log lines go; one for the whole process. */
export interface LineDestination {
  /** One line with its line feed. */
  write(line: string): void;
}

export interface BufferedDestination extends LineDestination {
  /** Lines thrown away because the reader of our output did not keep up. */
  readonly dropped: number;
  /** Writes what is buffered before it returns; for the end of the process. */
  flush(): void;
}

/**
 * Standard output through a buffer: written when 8 KiB are full, after a second at the latest, and at exit. Bounded: a
 * reader that stopped reading (a stuck log shipper) costs 8 MiB, then lines are dropped and counted.
 *
 * Only the main thread may own it: lines of two buffers on one pipe would be mixed within a line. Relay threads post
 * their lines (log.ts).
 */
export function bufferedDestination(fd = 1): BufferedDestination {
  const stream = pino.destination({
    fd,
    sync: false,
    minLength: 8192,
    maxLength: 8 * 1024 * 1024,
    periodicFlush: 1000,
  });
  let dropped = 0;
  stream.on('drop', () => {
    dropped += 1;
  });
  return {
    get dropped() {
      return dropped;
    },
    write: (line) => {
      stream.write(line);
    },
    flush: () => stream.flushSync(),
  };
}
