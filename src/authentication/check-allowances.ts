import { randomInt } from 'node:crypto';

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

  giveBack(): void {
    this.#left = Math.min(this.#burst, this.#left + 1);
  }
}

/** The side of a connection that asks; the addon's response is one. Asked only of keys that were not seen before. */
export interface RemoteSide {
  /** 4 or 16 bytes, in network order. */
  getRemoteAddress(): ArrayBuffer;
}

const ADDRESSES = 4096;
const FNV_PRIME = 0x01000193;

/**
 * How many forged tokens one address may have checked: a token bucket for each of 4096 groups of addresses, so that one
 * who forges does not use up what all others may have checked together. Only forgeries count: a genuine token gives back
 * what its check took, so a proxy that stands before thousands of honest clients is not slowed.
 *
 * A fixed table instead of a map: addresses are the attacker's to choose. Which addresses share a place depends on a
 * number made at random in each thread, so nobody can aim at another's. IPv6 counts by /64, which is what one
 * customer gets.
 */
export class AddressAllowances {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #left: Float64Array;
  readonly #filledAt: Float64Array;
  readonly #seed = randomInt(0x1_0000_0000);

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = new Float64Array(ADDRESSES).fill(burst);
    this.#filledAt = new Float64Array(ADDRESSES);
  }

  placeOf(side: RemoteSide): number {
    const address = new Uint8Array(side.getRemoteAddress());
    // IPv4 in IPv6 (RFC 4291 §2.5.5.2), as a socket that listens on both shows it: the last four bytes.
    const [start, end] = address.length === 16 ? (isMapped(address) ? [12, 16] : [0, 8]) : [0, address.length];
    let hash = this.#seed;
    for (let index = start; index < end; index += 1) {
      hash = Math.imul(hash ^ address[index]!, FNV_PRIME);
      hash ^= hash >>> 15;
    }
    return hash & (ADDRESSES - 1);
  }

  take(place: number, now: number): boolean {
    const since = this.#filledAt[place]!;
    // A clock that was set back gives nothing and takes nothing away.
    const gained = (Math.max(0, now - since) * this.#perSecond) / 1000;
    const left = Math.min(this.#burst, this.#left[place]! + (since === 0 ? 0 : gained));
    this.#filledAt[place] = now;
    this.#left[place] = left < 1 ? left : left - 1;
    return left >= 1;
  }

  giveBack(place: number): void {
    this.#left[place] = Math.min(this.#burst, this.#left[place]! + 1);
  }
}

function isMapped(address: Uint8Array): boolean {
  for (let index = 0; index < 10; index += 1) if (address[index] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
}
