import { AccessLine } from './access-line.ts';
import type { RecordView } from './exchange-record.ts';
import type { LineDestination } from './line-destination.ts';
import { LineWriter } from './line-writer.ts';

export type AccessLogMode = 'all' | 'errors' | 'off';

export interface AccessLog {
  /** A reload may change it. */
  mode: AccessLogMode;
  /** Its line leaves with the next `send`, or sooner where many wait. */
  add(record: RecordView): void;
  /** The lines of one batch leave as one write. */
  send(): void;
}

/** One line per exchange. No body and no secret can stand in it, since none stands in a record. */
export function createAccessLog(mode: AccessLogMode, destination: LineDestination): AccessLog {
  const line = new AccessLine();
  const lines = new LineWriter();
  /** The time of all lines that wait; 0: none does. */
  let timeMs = 0;
  const send = (): void => {
    timeMs = 0;
    const bytes = lines.take();
    if (bytes.length > 0) destination.write(bytes, lines.hasRoom ? undefined : lines.renew());
  };
  return {
    mode,
    add(record) {
      if (this.mode === 'off') return;
      if (this.mode === 'errors' && record.outcome === 'ok' && record.status < 400) return;
      if (!lines.hasRoom) send();
      if (timeMs === 0) timeMs = Date.now();
      line.write(record, timeMs, lines);
    },
    send,
  };
}
