import { AccessLine } from './access-line.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { LineDestination } from './line-destination.ts';

export type AccessLogMode = 'all' | 'errors' | 'off';

export interface AccessLog {
  /** A reload may change it. */
  mode: AccessLogMode;
  /** The lines of one batch leave as one write. */
  addAll(records: readonly ExchangeRecord[]): void;
}

const USUAL_LINE_BYTES = 1_024;
/** More than the longest line has. */
const ROOM_BYTES = 16_384;

/** One line per exchange. No body and no secret can stand in it, since none stands in a record. */
export function createAccessLog(mode: AccessLogMode, destination: LineDestination): AccessLog {
  const lines = new AccessLine();
  return {
    mode,
    addAll(records) {
      if (this.mode === 'off') return;
      const timeMs = Date.now();
      let buffer = Buffer.allocUnsafe(Math.max(ROOM_BYTES, records.length * USUAL_LINE_BYTES));
      let at = 0;
      for (const record of records) {
        if (this.mode === 'errors' && record.outcome === 'ok' && record.status < 400) continue;
        if (buffer.length - at < ROOM_BYTES) {
          destination.write(buffer.subarray(0, at));
          buffer = Buffer.allocUnsafe(buffer.length);
          at = 0;
        }
        // Line by line: added up to one text, the batch would be thousands of rope nodes for the collector to carry.
        at += buffer.write(lines.of(record, timeMs), at);
      }
      if (at > 0) destination.write(buffer.subarray(0, at));
    },
  };
}
