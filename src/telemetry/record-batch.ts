import { encodeBatch } from './encode-batch.ts';
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

/**
 * Carries the records of one relay thread to the main thread. `add` is a push; encoding happens once per batch, at most
 * `flushAfterMs` after its first record or when a frame is full. The timer runs only while records wait.
 */
export class RecordBatcher {
  /** Records that were thrown away because the receiver did not keep up. */
  dropped = 0;
  #waiting: ExchangeRecord[] = [];
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
    return this.#waiting.length;
  }

  /** The record must not be changed afterwards. */
  add(record: ExchangeRecord): void {
    if (this.#waiting.length >= this.#maxWaiting) {
      this.dropped += 1;
      return;
    }
    // Only the record that fills a frame sends: while the receiver is behind, the timer asks again, not every record.
    if (this.#waiting.push(record) === this.#recordsPerFrame) this.#sendFrames(1);
    if (!this.#armed && this.#waiting.length > 0) this.#arm();
  }

  /** Sends what waits, all of it, whether the receiver is ready or not: for the end of a thread. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armed = false;
    while (this.#waiting.length > 0) this.#sendFrame();
  }

  #arm(): void {
    this.#armed = true;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#onTimer(), this.#flushAfterMs);
    else this.#timer.refresh();
  }

  #onTimer(): void {
    this.#armed = false;
    // Eight frames (4,096 records, about 3 ms) bound what one turn of the loop spends on a backlog.
    this.#sendFrames(8);
    if (this.#waiting.length > 0) this.#arm();
  }

  #sendFrames(most: number): void {
    for (let count = 0; count < most && this.#waiting.length > 0 && this.#ready(); count++) this.#sendFrame();
  }

  #sendFrame(): void {
    const all = this.#waiting;
    if (all.length <= this.#recordsPerFrame) {
      this.#waiting = [];
      this.#send(encodeBatch(all), all.length);
    } else this.#send(encodeBatch(all.splice(0, this.#recordsPerFrame)), this.#recordsPerFrame);
  }
}
