import type { Timeouts } from '../config/server/limits.ts';
import { GatewayError } from '../core/errors.ts';
import type { ArrivingBody, BodyReceiver } from '../core/exchange.ts';

/** What a form may hold beside its file. */
export const MAX_FORM_BYTES = 1_048_576;

export interface StreamedBodyOwner {
  pauseClient(): void;
  resumeClient(): void;
  fileTooLarge(): GatewayError;
}

/**
 * One body on its way to a receiver, bounded in size and in time: all of it by `upload_ms`, the silence between two pieces
 * by `body_ms`. Nothing of it is kept here.
 */
export class StreamedBody implements ArrivingBody {
  receiver: BodyReceiver | undefined;
  readonly declaredBytes: number | undefined;
  /** More of it is expected. */
  open = true;
  paused = false;
  readonly #owner: StreamedBodyOwner;
  readonly #maxFileBytes: number;
  readonly #timeouts: Pick<Timeouts, 'bodyMs' | 'uploadMs'>;
  readonly #startedAt: number;
  #lastAt: number;
  #bytes = 0;

  constructor(
    owner: StreamedBodyOwner,
    maxFileBytes: number,
    timeouts: Pick<Timeouts, 'bodyMs' | 'uploadMs'>,
    startedAt: number,
    declaredBytes: number | undefined,
  ) {
    this.declaredBytes = declaredBytes;
    this.#owner = owner;
    this.#maxFileBytes = maxFileBytes;
    this.#timeouts = timeouts;
    this.#startedAt = startedAt;
    this.#lastAt = startedAt;
  }

  pause(): void {
    if (this.paused || !this.open) return;
    this.paused = true;
    this.#owner.pauseClient();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    // Until now the silence was ours.
    this.#lastAt = performance.now();
    this.#owner.resumeClient();
  }

  /** Nobody takes the rest. */
  drop(): void {
    this.receiver = undefined;
    this.resume();
  }

  arrive(chunk: ArrayBuffer, isLast: boolean): void {
    if (isLast) {
      this.open = false;
      // Its receiver resumes only for more of this body; the next request of the connection has to be read as well.
      this.resume();
    }
    const { receiver } = this;
    if (!receiver) return;
    this.#lastAt = performance.now();
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#maxFileBytes + MAX_FORM_BYTES) {
      this.#fail(this.#owner.fileTooLarge());
      return;
    }
    if (chunk.byteLength > 0) receiver.take(new Uint8Array(chunk));
    // It may have refused meanwhile.
    if (isLast) this.receiver?.end();
  }

  sweep(now: number): void {
    if (!this.open || !this.receiver) return;
    const { bodyMs, uploadMs } = this.#timeouts;
    const setting =
      uploadMs > 0 && now - this.#startedAt > uploadMs
        ? `timeouts.upload_ms: ${uploadMs}`
        : !this.paused && bodyMs > 0 && now - this.#lastAt > bodyMs
          ? `timeouts.body_ms: ${bodyMs}`
          : undefined;
    if (setting !== undefined) this.#fail(new GatewayError('body_timeout', { setting }));
  }

  #fail(error: GatewayError): void {
    const { receiver } = this;
    this.receiver = undefined;
    receiver?.fail(error);
  }
}
