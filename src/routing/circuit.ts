import type { RoutingLimits } from '../config/server/routing.ts';
import type { SharedSlots } from './shared-slots.ts';

/** Words of a slot. Times are the low 32 bits of milliseconds: differences hold for spans below 24 days. */
const OUT = 0;
const UNTIL = 1;
/** When the probe that was let through is taken for lost; 0: nobody probes. */
const PROBE = 2;
const CONSECUTIVE = 3;
const WINDOW_START = 4;
const REQUESTS = 5;
const FAILURES = 6;
/** How often in a row the circuit was opened: each time for twice as long. */
const TIMES_OUT = 7;
/** 0: it never was out. */
const RECOVERED = 8;
const REASON = 9;
const SINCE = 10;
const RETRY_START = 11;
const RETRY_REQUESTS = 12;
const RETRIES = 13;
/** Counts changes that other gateways should hear of. */
const CHANGED = 14;
/** When a request last met it while it was out; 0: never. */
const WANTED = 15;
/** Until when this gateway, of those that share Redis, may let a probe through; 0: it may not. */
const PERMIT = 16;
export const CIRCUIT_WORDS = 17;

/** A probe that never reported back, because its thread died, does not keep the place out. */
const PROBE_LOST_MS = 120_000;
const RETRY_WINDOW_MS = 10_000;
const FREE_RETRIES = 10;
const MIN_SHARE = 0.1;

export type Availability = 'open' | 'probe' | 'out';

/**
 * What let a request through to a place that is out: `due`, its time was over; `early`, nothing else was left; `panic`,
 * everything is out, and somebody else's probe is on its way.
 */
export type Probing = 'none' | 'due' | 'early' | 'panic';

/** What gateways tell each other of a circuit. Times are spans, since their clocks differ. */
export interface SharedCircuit {
  readonly out: boolean;
  /** Below 0: its time is over. */
  readonly forMs: number;
  readonly outSinceMs: number;
  readonly reason: number;
  readonly timesOut: number;
  /** Undefined: it never was out. */
  readonly recoveredSinceMs: number | undefined;
}

/** Whether gateways agree on who probes, as one word that the main thread writes. */
export const ALONE = 0;
export const AGREED = 1;

export interface CircuitState {
  readonly out: boolean;
  readonly reason: number;
  /** Milliseconds, of the time asked at. */
  readonly sinceMs: number;
  readonly forMs: number;
  readonly probing: boolean;
  readonly consecutiveFailures: number;
  readonly requests: number;
  readonly failures: number;
}

/**
 * Whether one thing (a target, a credential, a credential's use of a model) can be asked, agreed upon by all threads.
 * Out after a failure too many; when its time is over exactly one request is let through, and its outcome decides.
 */
export class Circuit {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #laws: RoutingLimits;
  readonly #agreement: Int32Array | undefined;

  /** `agreement`: its word says whether a probe needs a permit; undefined: it never does. */
  constructor(slots: SharedSlots, at: number, laws: RoutingLimits, agreement?: Int32Array) {
    this.#words = slots.words;
    this.#at = at;
    this.#laws = laws;
    this.#agreement = agreement;
  }

  availability(now: number): Availability {
    if (this.#get(OUT) === 0) return 'open';
    if (this.#agreement !== undefined) this.#set(WANTED, now === 0 ? 1 : now);
    if (this.#since(UNTIL, now) < 0) return 'out';
    return this.#isProbed(now) || !this.#isPermitted(now) ? 'out' : 'probe';
  }

  /** Milliseconds until it may be asked again. */
  waitMs(now: number): number {
    return this.#get(OUT) === 0 ? 0 : Math.max(0, -this.#since(UNTIL, now));
  }

  /** The part of its share that it gets: it grows from a tenth after it came back. */
  share(now: number): number {
    const recovered = this.#get(RECOVERED);
    const { slowStartMs } = this.#laws;
    if (recovered === 0 || slowStartMs === 0) return 1;
    const part = ((now - recovered) | 0) / slowStartMs;
    return part >= 1 || part < 0 ? 1 : Math.max(MIN_SHARE, part);
  }

  /** True for exactly one caller over all threads, and over gateways that share Redis where its time is over. */
  claimProbe(now: number): boolean {
    if (this.#since(UNTIL, now) >= 0 && !this.#isPermitted(now)) return false;
    const before = this.#get(PROBE);
    if (before !== 0 && ((before - now) | 0) > 0) return false;
    const lost = (now + PROBE_LOST_MS) | 1;
    return Atomics.compareExchange(this.#words, this.#at + PROBE, before, lost) === before;
  }

  /** A request begins. */
  asked(now: number): void {
    if (this.#isOver(WINDOW_START, this.#laws.windowMs, now)) {
      this.#set(WINDOW_START, now);
      this.#set(REQUESTS, 0);
      this.#set(FAILURES, 0);
    }
    Atomics.add(this.#words, this.#at + REQUESTS, 1);
    Atomics.add(this.#words, this.#at + RETRY_REQUESTS, 1);
  }

  /** Whether the target may be tried once more: retries are a share of its requests, so that a brown-out is not made worse. */
  mayRetry(now: number): boolean {
    if (this.#isOver(RETRY_START, RETRY_WINDOW_MS, now)) {
      this.#set(RETRY_START, now);
      this.#set(RETRY_REQUESTS, 0);
      this.#set(RETRIES, 0);
    }
    const allowed = Math.max(FREE_RETRIES, (this.#get(RETRY_REQUESTS) * this.#laws.retryBudgetPercent) / 100);
    if (Atomics.add(this.#words, this.#at + RETRIES, 1) < allowed) return true;
    Atomics.sub(this.#words, this.#at + RETRIES, 1);
    return false;
  }

  /** Content came. Whoever was let through to it while it was out brings it back. */
  succeeded(now: number, probing: Probing): void {
    if (this.#get(CONSECUTIVE) !== 0) this.#set(CONSECUTIVE, 0);
    if (probing === 'none' || this.#get(OUT) === 0) return;
    this.#set(REQUESTS, 0);
    this.#set(FAILURES, 0);
    this.#set(RECOVERED, now === 0 ? 1 : now);
    this.#set(OUT, 0);
    this.#set(PROBE, 0);
    this.#changed();
  }

  /** A failure that one alone says little of: out after too many in a row, or where too large a share of them failed. */
  failed(now: number, reason: number, probing: Probing): void {
    const { consecutiveFailures, failurePercent, minRequests, outMs } = this.#laws;
    const inRow = Atomics.add(this.#words, this.#at + CONSECUTIVE, 1) + 1;
    const failures = Atomics.add(this.#words, this.#at + FAILURES, 1) + 1;
    const requests = this.#get(REQUESTS);
    const manyFail = requests >= minRequests && failures * 100 >= failurePercent * requests;
    const probed = probing !== 'none' && this.#get(OUT) !== 0;
    if (inRow >= consecutiveFailures || manyFail || probed) this.takeOut(now, reason, outMs, probing);
  }

  /** Takes it out for so long the first time, twice as long each time in a row, at most `maxOutMs`. */
  takeOut(now: number, reason: number, outMs: number, probing: Probing): void {
    const { maxOutMs } = this.#laws;
    if (this.#get(OUT) !== 0 && probing !== 'due') {
      // The request was sent before its time, or before the circuit opened: what is known stands.
      this.release(probing);
      return;
    }
    if (this.#get(OUT) === 0 && this.#since(RECOVERED, now) > maxOutMs) this.#set(TIMES_OUT, 0);
    const times = this.#get(TIMES_OUT);
    this.outUntil(now, reason, Math.min(maxOutMs, outMs * 2 ** Math.min(times, 20)));
    this.#set(TIMES_OUT, times + 1);
  }

  outUntil(now: number, reason: number, forMs: number): void {
    this.#set(UNTIL, now + forMs);
    this.#set(REASON, reason);
    if (this.#get(OUT) === 0) this.#set(SINCE, now);
    this.#set(OUT, 1);
    this.#set(PROBE, 0);
    this.#changed();
  }

  /** The request that was let through told nothing about it. */
  release(probing: Probing): void {
    if (probing === 'due' || probing === 'early') this.#set(PROBE, 0);
  }

  /** Closes the circuit: an operator says that it can be asked. */
  reset(): void {
    for (let word = 0; word < CIRCUIT_WORDS; word += 1) if (word !== CHANGED) this.#set(word, 0);
    this.#changed();
  }

  /** Differs from what it was before whenever other gateways should hear of it. */
  get changes(): number {
    return this.#get(CHANGED);
  }

  /** Whether somebody here may soon want to probe it, or does so. */
  wantsPermit(now: number, withinMs: number, wantedWithinMs: number): boolean {
    if (this.#get(OUT) === 0 || this.#since(UNTIL, now) < -withinMs) return false;
    const wanted = this.#get(WANTED);
    return this.#isProbed(now) || (wanted !== 0 && this.#since(WANTED, now) <= wantedWithinMs);
  }

  /** Gives this gateway the permit to probe for so many milliseconds; 0: another one has it. */
  permit(now: number, forMs: number): void {
    this.#set(PERMIT, forMs === 0 ? 0 : (now + forMs) | 1);
  }

  /** The state as other gateways are told it. */
  told(now: number): SharedCircuit {
    return {
      out: this.#get(OUT) !== 0,
      forMs: -this.#since(UNTIL, now),
      outSinceMs: this.#since(SINCE, now),
      reason: this.#get(REASON),
      timesOut: this.#get(TIMES_OUT),
      recoveredSinceMs: this.#get(RECOVERED) === 0 ? undefined : this.#since(RECOVERED, now),
    };
  }

  /** Takes over what another gateway tells; the counts stay those of this one. */
  hear(shared: SharedCircuit, now: number): void {
    const { out, forMs, outSinceMs, reason, timesOut, recoveredSinceMs } = shared;
    this.#set(UNTIL, now + forMs);
    this.#set(SINCE, now - outSinceMs);
    this.#set(REASON, reason);
    this.#set(TIMES_OUT, timesOut);
    this.#set(RECOVERED, recoveredSinceMs === undefined ? 0 : (now - recoveredSinceMs) | 1);
    this.#set(CONSECUTIVE, 0);
    this.#set(REQUESTS, 0);
    this.#set(FAILURES, 0);
    this.#set(PERMIT, 0);
    this.#set(PROBE, 0);
    this.#set(OUT, out ? 1 : 0);
  }

  state(now: number): CircuitState {
    return {
      out: this.#get(OUT) !== 0,
      reason: this.#get(REASON),
      sinceMs: this.#since(SINCE, now),
      forMs: this.waitMs(now),
      probing: this.#isProbed(now),
      consecutiveFailures: this.#get(CONSECUTIVE),
      requests: this.#get(REQUESTS),
      failures: this.#get(FAILURES),
    };
  }

  #isProbed(now: number): boolean {
    const probe = this.#get(PROBE);
    return probe !== 0 && ((probe - now) | 0) > 0;
  }

  /** A gateway that is alone needs nobody's permit. */
  #isPermitted(now: number): boolean {
    if (this.#agreement === undefined || Atomics.load(this.#agreement, 0) === ALONE) return true;
    const permit = this.#get(PERMIT);
    return permit !== 0 && ((permit - now) | 0) > 0;
  }

  #changed(): void {
    Atomics.add(this.#words, this.#at + CHANGED, 1);
  }

  /** Whether the window is over; one that never began is over, too. */
  #isOver(start: number, spanMs: number, now: number): boolean {
    const age = this.#since(start, now);
    return age < 0 || age > spanMs;
  }

  #since(word: number, now: number): number {
    return (now - this.#get(word)) | 0;
  }

  #get(word: number): number {
    return Atomics.load(this.#words, this.#at + word);
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#words, this.#at + word, value | 0);
  }
}
