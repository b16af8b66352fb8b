import type { Configuration } from '../config/configuration.ts';
import type { Principal } from '../core/exchange.ts';
import { modelsOfKey } from './key-models.ts';

/** A principal in the light of one configuration: made once for both, so that an exchange only looks things up. */
export interface Caller {
  readonly principal: Principal;
  /** Of the key, and by membership in team manifests. */
  readonly teams: readonly string[];
  /** For records; undefined: none. */
  readonly teamsJson: string | undefined;
  /** What rules about subjects are held against: its own subject, `team:<name>` of each team, `team:everyone`, `*`. */
  readonly subjects: ReadonlySet<string>;
  /** Stands over the metadata of the request's header: configuration, then team, then key. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether it may use a canonical model: patterns of the key and access rules of the account. */
  allows(model: string): boolean;
}

/** The callers of one configuration. */
export class Callers {
  readonly #known = new WeakMap<Principal, Caller>();

  // biome-ignore lint/complexity/noUselessConstructor: access rules, teams and metadata rules will be read here.
  constructor(_configuration: Pick<Configuration, 'identities' | 'metadataRules' | 'accounts'>) {}

  of(principal: Principal): Caller {
    let caller = this.#known.get(principal);
    if (caller === undefined) {
      const { teams, metadata, subject } = principal;
      caller = {
        principal,
        teams,
        teamsJson: teams.length > 0 ? JSON.stringify(teams) : undefined,
        subjects: new Set([subject, ...teams.map((team) => `team:${team}`), 'team:everyone', '*']),
        metadata,
        allows: modelsOfKey(principal),
      };
      this.#known.set(principal, caller);
    }
    return caller;
  }
}
