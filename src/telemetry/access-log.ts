import { AccessLine } from './access-line.ts';
import type { RecordView } from './exchange-record.ts';
import type { LineDestination } from './line-destination.ts';
import { LineWriter } from './line-writer.ts';

export type AccessLogMode = 'all' | 'errors' | 'off';

export interface AccessLog {
  /** A reload may change it. */
  mode: AccessLogMode;
  /** The lines of one batch leave as one write. */
  addAll(records: Iterable<RecordView>): void;
}

/** One line per exchange. No body and no secret can stand in it, since none stands in a record. */
export function createAccessLog(mode: AccessLogMode, destination: LineDestination): AccessLog {
  const line = new AccessLine();
  const lines = new LineWriter();
  const send = (): void => {
    const bytes = lines.take();
    if (bytes.length > 0) destination.write(bytes, lines.hasRoom ? undefined : lines.renew());
  };
  return {
    mode,
    addAll(records) {
      if (this.mode === 'off') return;
      const timeMs = Date.now();
      for (const record of records) {
        if (this.mode === 'errors' && record.outcome === 'ok' && record.status < 400) continue;
        if (!lines.hasRoom) send();
        line.write(record, timeMs, lines);
      }
      send();
    },
  };
}
