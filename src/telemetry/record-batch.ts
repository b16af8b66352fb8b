import { FrameEncoder } from './encode-batch.ts';
import type { ExchangeRecord } from './exchange-record.ts';

export interface RecordBatcherOptions {
  /** Takes one frame. It owns its ArrayBuffer, so it may be transferred: `port.postMessage(frame, [frame.buffer])`. */
  send(frame: Uint8Array<ArrayBuffer>, records: number): void;
  /** False while the receiver is too far behind to be sent more: records wait, and are dropped past `maxWaiting`. */
  ready?(): boolean;
  flushAfterMs?: number;
  recordsPerFrame?: number;
  maxWaiting?: number;
}

interface WaitingFrame {
  readonly frame: Uint8Array<ArrayBuffer>;
  readonly records: number;
}

/**
 * Carries the records of one relay thread to the main thread. `add` writes a record into the columns of the next frame, which
 * is sent at most `flushAfterMs` after its first record or when it is full. The timer runs only while records wait.
 */
export class RecordBatcher {
  /** Records that were thrown away because the receiver did not keep up. */
  dropped = 0;
  readonly #encoder = new FrameEncoder();
  /** Full ones, while the receiver is not ready. */
  readonly #frames: WaitingFrame[] = [];
  #inFrames = 0;
  /** The end of the first record of the next frame; milliseconds since the Unix epoch. */
  #firstEndedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #armed = false;
  readonly #send: (frame: Uint8Array<ArrayBuffer>, records: number) => void;
  readonly #ready: () => boolean;
  readonly #flushAfterMs: number;
  readonly #recordsPerFrame: number;
  readonly #maxWaiting: number;

  constructor(options: RecordBatcherOptions) {
    this.#send = options.send;
    this.#ready = options.ready ?? (() => true);
    this.#flushAfterMs = options.flushAfterMs ?? 10;
    this.#recordsPerFrame = options.recordsPerFrame ?? 512;
    this.#maxWaiting = options.maxWaiting ?? 65_536;
  }

  /** Records that were added and not sent yet. */
  get waiting(): number {
    return this.#inFrames + this.#encoder.count;
  }

  add(record: ExchangeRecord): void {
    if (this.waiting >= this.#maxWaiting) {
      this.dropped += 1;
      return;
    }
    this.#encoder.add(record);
    const endedAt = record.startedAt + record.durationMs;
    if (this.#encoder.count === 1) this.#firstEndedAt = endedAt;
    // In a long turn of the loop the timer is late: the records themselves say that it should have come.
    const isLate = endedAt - this.#firstEndedAt >= this.#flushAfterMs;
    if (this.#encoder.count === this.#recordsPerFrame || (isLate && this.#ready())) {
      this.#close();
      // Only the record that fills a frame sends: while the receiver is behind, the timer asks again, not every record.
      this.#sendFrames(1);
    }
    if (!this.#armed && this.waiting > 0) this.#arm();
  }

  /** Sends what waits, all of it, whether the receiver is ready or not: for the end of a thread. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armed = false;
    this.#close();
    while (this.#frames.length > 0) this.#sendFirst();
  }

  #arm(): void {
    this.#armed = true;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#onTimer(), this.#flushAfterMs);
    else this.#timer.refresh();
  }

  #onTimer(): void {
    this.#armed = false;
    // While the receiver is behind, records gather in whole frames.
    if (this.#ready()) this.#close();
    // Eight frames bound what one turn of the loop spends on a backlog.
    this.#sendFrames(8);
    if (this.waiting > 0) this.#arm();
  }

  /** What was added so far is a frame of its own. */
  #close(): void {
    const records = this.#encoder.count;
    if (records === 0) return;
    this.#frames.push({ frame: this.#encoder.take(), records });
    this.#inFrames += records;
  }

  #sendFrames(most: number): void {
    for (let count = 0; count < most && this.#frames.length > 0 && this.#ready(); count++) this.#sendFirst();
  }

  #sendFirst(): void {
    const first = this.#frames.shift();
    if (first === undefined) return;
    this.#inFrames -= first.records;
    this.#send(first.frame, first.records);
  }
}
