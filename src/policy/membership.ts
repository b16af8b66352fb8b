import type { Identities } from '../config/identities/identities.ts';
import { canonicalSubject } from '../config/subject.ts';
import type { Principal } from '../core/exchange.ts';

type Tags = Readonly<Record<string, string>>;

/** Teams and tags by subject, looked up once per principal. */
export class Membership {
  readonly #teamsOf = new Map<string, string[]>();
  readonly #tagsOf = new Map<string, Tags>();

  constructor({ users, teams, virtualAccounts }: Identities) {
    for (const { name, members, tags } of teams) {
      this.#tagsOf.set(`team:${name}`, tags);
      for (const email of members) this.#join(canonicalSubject(`user:${email}`), name);
    }
    for (const { email, tags } of users) this.#tagsOf.set(canonicalSubject(`user:${email}`), tags);
    for (const { name, team, tags } of virtualAccounts) {
      this.#tagsOf.set(`virtualaccount:${name}`, tags);
      // What a team owns spends for that team.
      if (team !== undefined) this.#join(`virtualaccount:${name}`, team);
    }
  }

  /** Those of the key first, then by manifest; each once. */
  teamsOf(principal: Principal): readonly string[] {
    const joined = this.#teamsOf.get(canonicalSubject(principal.subject));
    return joined === undefined ? principal.teams : [...new Set([...principal.teams, ...joined])];
  }

  /** The tags of a team, a user or a virtual account. */
  tagsOf(subject: string): Tags | undefined {
    return this.#tagsOf.get(canonicalSubject(subject));
  }

  #join(subject: string, team: string): void {
    const teams = this.#teamsOf.get(subject);
    if (teams) teams.push(team);
    else this.#teamsOf.set(subject, [team]);
  }
}
