import type { IncomingMessage } from 'node:http';
import { AddressAllowances, CheckAllowance } from '../../authentication/check-allowances.ts';
import type { RemoteSides } from './remote-sides.ts';

/** Of one address: ten at once, then ten a minute. Of all together: a hundred at once, then five a second. */
const OF_ADDRESS = { perSecond: 1 / 6, atOnce: 10 };
const OF_ALL = { perSecond: 5, atOnce: 100 };

/** How often a sign-in may fail. One that goes well gives back what it took. */
export class GuessLimit {
  readonly #addresses = new AddressAllowances(OF_ADDRESS.perSecond, OF_ADDRESS.atOnce);
  readonly #all: CheckAllowance;
  readonly #sides: RemoteSides;
  readonly #now: () => number;

  constructor(sides: RemoteSides, now: () => number) {
    this.#sides = sides;
    this.#now = now;
    this.#all = new CheckAllowance(OF_ALL.perSecond, OF_ALL.atOnce, now());
  }

  /** What gives it back; undefined: too many failed. */
  take(request: IncomingMessage): (() => void) | undefined {
    const place = this.#addresses.placeOf(this.#sides.of(request));
    const now = this.#now();
    if (!this.#addresses.take(place, now)) return undefined;
    if (!this.#all.take(now)) {
      this.#addresses.giveBack(place);
      return undefined;
    }
    return () => {
      this.#addresses.giveBack(place);
      this.#all.giveBack();
    };
  }
}
