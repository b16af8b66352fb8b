import type { BodyPlan } from '../request-log/body-policy.ts';
import { Capture, type CaptureRoom, type CaptureSource } from '../request-log/capture.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { CapturedExchange, CapturedMessage } from '../threads/request-log-messages.ts';

export interface RequestLogSenderOptions {
  readonly thread: number;
  readonly threads: number;
  /** As configured now. */
  readonly bounds: () => { readonly maxBodyBytes: number; readonly maxQueuedBytes: number };
  /** Whether a record is wanted with the bodies. */
  readonly wantsRecords: () => boolean;
  send(message: CapturedMessage, transfer: ArrayBuffer[]): void;
}

const FLUSH_MS = 100;
/** Messages are not larger by much. */
const FLUSH_BYTES = 1_048_576;

/**
 * Bodies on their way from a relay thread to the thread that keeps them. Of all that a thread captures or has on its way it
 * holds its share of `request_log.max_queued_bytes`; an exchange that finds no room is dropped and counted.
 */
export class RequestLogSender implements CaptureRoom {
  readonly #options: RequestLogSenderOptions;
  #held = 0;
  #waiting: CapturedExchange[] = [];
  #transfer: ArrayBuffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RequestLogSenderOptions) {
    this.#options = options;
  }

  hold(bytes: number): boolean {
    const { bounds, threads } = this.#options;
    if (this.#held + bytes > bounds().maxQueuedBytes / threads) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }

  begin(exchange: CaptureSource, plan: BodyPlan): Capture {
    return new Capture(exchange, plan, this.#options.bounds().maxBodyBytes, this);
  }

  /** `record`: undefined where none is known. */
  end(exchange: CaptureSource, capture: Capture, record: ExchangeRecord | undefined): void {
    exchange.sink.tap = undefined;
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
    if (capture.isLost) {
      this.#dropped += 1;
      return;
    }
    const { plan, hidden, request, response, status, heldBytes } = capture;
    this.#waiting.push({
      id: exchange.id,
      subject: exchange.principal.subject,
      project: plan.project,
      expiresAt: Date.now() + plan.retentionMs,
      redact: plan.redact,
      hidden,
      status: record?.status ?? status,
      request,
      response,
      record: this.#options.wantsRecords() ? record : undefined,
    });
    for (const { start } of [request, response]) if (start !== undefined) this.#transfer.push(start.buffer);
    this.#waitingBytes += heldBytes;
    if (this.#waitingBytes >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0 && this.#dropped === 0) return;
    const { thread, send } = this.#options;
    const [exchanges, transfer, bytes, dropped] = [this.#waiting, this.#transfer, this.#waitingBytes, this.#dropped];
    this.#waiting = [];
    this.#transfer = [];
    this.#waitingBytes = 0;
    this.#dropped = 0;
    send({ type: 'request-log', thread, exchanges, bytes, dropped }, transfer);
  }
}
