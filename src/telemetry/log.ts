import { createRequire } from 'node:module';
import type { Log } from '../core/log.ts';
import { madeOnce } from '../core/made-once.ts';
import type { LineDestination } from './line-destination.ts';

/** The least first. */
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

export interface ProcessLog extends Log {
  /** A reload may change it. */
  level: LogLevel;
}

const load = createRequire(import.meta.url);

/**
 * JSON lines of the process. On a relay thread `destination.write` posts the line to the main thread, whose buffered
 * destination writes it: `thread` names where it came from. pino is loaded for the first line, which most threads never
 * write: it takes nearly 1 MB of each.
 */
export function createLog(level: LogLevel, destination: LineDestination, thread?: number): ProcessLog {
  const logger = madeOnce(() => {
    const pino: typeof import('pino').pino = load('pino');
    const { err } = pino.stdSerializers;
    return pino(
      {
        // Lines below the level do not come here.
        level: 'debug',
        base: thread === undefined ? null : { thread },
        formatters: { level: (label) => ({ level: label }) },
        // What was thrown, with its stack; a value that is no Error passes as it is.
        serializers: { error: err, cause: err },
        depthLimit: 4,
        edgeLimit: 50,
      },
      destination,
    );
  });
  const write = (at: LogLevel, fields: object, message: string): void => {
    if (LEVELS.indexOf(at) >= LEVELS.indexOf(level)) logger()[at](fields, message);
  };
  return {
    get level() {
      return level;
    },
    set level(next) {
      level = next;
    },
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}
