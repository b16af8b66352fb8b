import type { Timeouts } from '../config/server/limits.ts';
import { type ErrorCode, GatewayError } from '../core/errors.ts';
import type { StepWaits } from '../routing/route-plan.ts';

/**
 * The timeouts of one attempt. The sweep checks them, and no attempt has a timer; a chunk only sets a flag. Times are
 * performance.now(). A pause of ours stops the idle timeout: the provider is silent because we do not read.
 */
export class Waits {
  readonly #timeouts: Timeouts;
  readonly #step: StepWaits;
  readonly #exchangeStartedAt: number;
  readonly #attemptStartedAt: number;
  #content = false;
  #contentSinceSweep = false;
  #lastContentAt = 0;

  constructor(timeouts: Timeouts, step: StepWaits, exchangeStartedAt: number, attemptStartedAt: number) {
    this.#timeouts = timeouts;
    this.#step = step;
    this.#exchangeStartedAt = exchangeStartedAt;
    this.#attemptStartedAt = attemptStartedAt;
  }

  content(): void {
    this.#content = true;
    this.#contentSinceSweep = true;
  }

  get hasContent(): boolean {
    return this.#content;
  }

  /** `sentAt`: when the request went out, 0 while it waits for a connection. */
  expired(now: number, sentAt: number, paused: boolean): GatewayError | undefined {
    const t = this.#timeouts;
    if (this.#contentSinceSweep || paused) {
      this.#contentSinceSweep = false;
      this.#lastContentAt = now;
    }
    if (t.totalMs > 0 && now - this.#exchangeStartedAt > t.totalMs) {
      return timeout('total_timeout', `timeouts.total_ms: ${t.totalMs}`);
    }
    const { attemptMs, firstTokenMs } = this.#step;
    const sinceAttempt = now - this.#attemptStartedAt;
    if (attemptMs !== undefined && sinceAttempt > attemptMs) {
      return timeout('attempt_timeout', `x-tfy-request-timeout: ${attemptMs}`);
    }
    if (this.#content) {
      if (t.idleMs > 0 && now - this.#lastContentAt > t.idleMs) {
        return timeout('idle_timeout', `timeouts.idle_ms: ${t.idleMs}`);
      }
      return undefined;
    }
    if (firstTokenMs !== undefined && sinceAttempt > firstTokenMs) {
      return timeout('first_token_timeout', `x-tfy-ttft-timeout-ms: ${firstTokenMs}`);
    }
    if (sentAt === 0) {
      if (t.connectMs > 0 && sinceAttempt > t.connectMs) {
        return timeout('connect_timeout', `timeouts.connect_ms: ${t.connectMs}`);
      }
    } else if (t.firstByteMs > 0 && now - sentAt > t.firstByteMs) {
      return timeout('first_byte_timeout', `timeouts.first_byte_ms: ${t.firstByteMs}`);
    }
    return undefined;
  }
}

function timeout(code: ErrorCode, setting: string): GatewayError {
  return new GatewayError(code, { setting });
}
