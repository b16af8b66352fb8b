import type { RecordView } from '../../src/telemetry/exchange-record.ts';

/** One batch of records, whose log lines leave with it. */
export function addRecords(to: { add(record: RecordView): void; send?(): void }, records: Iterable<RecordView>): void {
  for (const record of records) to.add(record);
  to.send?.();
}
