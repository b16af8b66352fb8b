import type { IncomingMessage } from 'node:http';
import { AddressAllowances, CheckAllowance } from '../../authentication/check-allowances.ts';
import type { RemoteSides } from './remote-sides.ts';

/** One address has ten guesses at once, then ten a minute; all together have a hundred at once, then five a second. */
const OF_ADDRESS = { perSecond: 1 / 6, atOnce: 10 };
const OF_ALL = { perSecond: 5, atOnce: 100 };
/** What an address may try that has not failed for a minute, whatever others did. */
const OF_UNSUSPECTED = { perSecond: 1 / 60, atOnce: 1 };

/**
 * How often a sign-in may fail. It never comes between a right key and its holder: a key is compared first, which costs a
 * hash, and only then does a wrong one count. What costs more to find out is bounded before, and an address that has not
 * failed lately has a try that others cannot use up.
 */
export class GuessLimit {
  readonly #addresses = new AddressAllowances(OF_ADDRESS.perSecond, OF_ADDRESS.atOnce);
  readonly #unsuspected = new AddressAllowances(OF_UNSUSPECTED.perSecond, OF_UNSUSPECTED.atOnce);
  readonly #all: CheckAllowance;
  readonly #sides: RemoteSides;
  readonly #now: () => number;

  constructor(sides: RemoteSides, now: () => number) {
    this.#sides = sides;
    this.#now = now;
    this.#all = new CheckAllowance(OF_ALL.perSecond, OF_ALL.atOnce, now());
  }

  /** Counts a failure. False: there were too many, and this one should be told to wait. */
  failed(request: IncomingMessage): boolean {
    const now = this.#now();
    const isAddressWithin = this.#addresses.take(this.#placeOf(request), now);
    return this.#all.take(now) && isAddressWithin;
  }

  /** Before a check that asks others: what gives the try back when it went well; undefined: too many failed. */
  take(request: IncomingMessage): (() => void) | undefined {
    const place = this.#placeOf(request);
    const now = this.#now();
    if (!this.#addresses.take(place, now)) return undefined;
    const isUnsuspected = this.#unsuspected.take(place, now);
    if (!this.#all.take(now) && !isUnsuspected) {
      this.#addresses.giveBack(place);
      return undefined;
    }
    return () => {
      this.#addresses.giveBack(place);
      if (isUnsuspected) this.#unsuspected.giveBack(place);
      this.#all.giveBack();
    };
  }

  #placeOf(request: IncomingMessage): number {
    return this.#addresses.placeOf(this.#sides.of(request));
  }
}
