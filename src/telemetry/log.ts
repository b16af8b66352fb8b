import pino from 'pino';
import type { Log } from '../core/log.ts';
import type { LineDestination } from './line-destination.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface ProcessLog extends Log {
  /** A reload may change it. */
  level: LogLevel;
}

/**
 * JSON lines of the process. On a relay thread `destination.write` posts the line to the main thread, whose buffered
 * destination writes it: `thread` names where it came from.
 */
export function createLog(level: LogLevel, destination: LineDestination, thread?: number): ProcessLog {
  const { err } = pino.stdSerializers;
  const logger = pino(
    {
      level,
      base: thread === undefined ? null : { thread },
      formatters: { level: (label) => ({ level: label }) },
      // What was thrown, with its stack; a value that is no Error passes as it is.
      serializers: { error: err, cause: err },
      depthLimit: 4,
      edgeLimit: 50,
    },
    destination,
  );
  return {
    get level() {
      return level;
    },
    set level(next) {
      level = next;
      logger.level = next;
    },
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
