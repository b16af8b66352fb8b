import type { ExchangeRecord, RecordView } from '../telemetry/exchange-record.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';

/**
 * The records of one batch, in order and without provisional ones. Frames stay bytes, outside of the heap, and are read
 * while one passes: thousands of records that live until they are written are what the collector of garbage carries from
 * place to place (6 µs an exchange, measured). May be gone through again, as after a rollback.
 */
export class BatchRecords implements Iterable<RecordView> {
  readonly #pieces: (Uint8Array | ExchangeRecord)[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** With so many records that are not provisional. */
  addFrame(frame: Uint8Array, records: number): void {
    if (records === 0) return;
    this.#pieces.push(frame);
    this.#count += records;
  }

  add(record: ExchangeRecord): void {
    this.#pieces.push(record);
    this.#count += 1;
  }

  *[Symbol.iterator](): Generator<RecordView> {
    for (const piece of this.#pieces) {
      if (!(piece instanceof Uint8Array)) yield piece;
      else for (const record of new RecordFrame(piece)) if (!record.pending) yield record;
    }
  }
}
