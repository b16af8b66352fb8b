/**
 * How many signatures may be checked: a token bucket. Without it a flood of forged tokens, each new, would spend a
 * relay thread's whole time on Ed25519 (0.06 to 0.12 ms a check) and every stream on it would stall.
 */
export class CheckAllowance {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #filledAt: number;

  /** Starts full: after a restart every key in use is unseen, and all of them come at once. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#filledAt = nowMs;
  }

  /** A clock that was set back gives nothing and takes nothing away. */
  take(nowMs: number): boolean {
    const gained = (Math.max(0, nowMs - this.#filledAt) * this.#perSecond) / 1000;
    this.#left = Math.min(this.#burst, this.#left + gained);
    this.#filledAt = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
