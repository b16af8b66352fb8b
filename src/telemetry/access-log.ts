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

/** One line per exchange. No body and no secret can stand in it, since none stands in a record. */
export function createAccessLog(mode: AccessLogMode, destination: LineDestination): AccessLog {
  const lines = new AccessLine();
  return {
    mode,
    addAll(records) {
      if (this.mode === 'off') return;
      const timeMs = Date.now();
      let text = '';
      for (const record of records) {
        if (this.mode === 'errors' && record.outcome === 'ok' && record.status < 400) continue;
        text += lines.of(record, timeMs);
      }
      if (text !== '') destination.write(text);
    },
  };
}
