import type { VirtualAccountIdentity } from '../config/configuration.ts';

/** When virtual accounts end, by subject: their keys end with them, whatever they say themselves. */
export class AccountEnds {
  readonly #ends: ReadonlyMap<string, number>;

  constructor(accounts: readonly VirtualAccountIdentity[]) {
    this.#ends = new Map(
      accounts.flatMap(({ name, expiresAtMs }) =>
        expiresAtMs === undefined ? [] : [[`virtualaccount:${name}`, expiresAtMs] as const],
      ),
    );
  }

  /** Milliseconds since the Unix epoch; Infinity: it never ends. */
  of(subject: string): number {
    return this.#ends.get(subject) ?? Number.POSITIVE_INFINITY;
  }
}
