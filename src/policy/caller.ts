import type { Configuration } from '../config/configuration.ts';
import type { MetadataRule } from '../config/rules/rule-match.ts';
import { canonicalSubject } from '../config/subject.ts';
import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { type AccessConfiguration, AccessRules } from './access.ts';
import { Membership } from './membership.ts';
import { compilePatterns, type ModelMatcher } from './model-pattern.ts';
import { compileSubjects, type SubjectMatcher } from './subject-match.ts';

/** A principal in the light of one configuration: made once for both, so that an exchange only looks things up. */
export interface Caller {
  readonly principal: Principal;
  /** The teams of the key, and those by membership in team manifests. */
  readonly teams: readonly string[];
  /** The teams as records have them; undefined: none. */
  readonly teamsJson: string | undefined;
  /** What rules about subjects are held against: its own subject, `team:<name>` of each team, `team:everyone`, `*`. */
  readonly subjects: ReadonlySet<string>;
  /** Stands over the metadata of the request's header; undefined: nothing does. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
  /**
   * Whether it may use a canonical model: patterns of the key and access rules of the account. `slug`: a further name of
   * the model, by which a key may mean it.
   */
  allows(model: string, slug?: string): boolean;
}

interface CompiledMetadataRule {
  readonly appliesTo: SubjectMatcher;
  readonly override: MetadataRule['override'];
}

/** The callers of one configuration; each is forgotten with its principal. */
export class Callers {
  readonly #known = new WeakMap<Principal, Caller>();
  readonly #access: AccessRules;
  readonly #membership: Membership;
  readonly #metadataRules: readonly CompiledMetadataRule[];

  constructor(configuration: AccessConfiguration & Pick<Configuration, 'metadataRules'>) {
    this.#access = new AccessRules(configuration);
    this.#membership = new Membership(configuration.identities);
    this.#metadataRules = configuration.metadataRules.map(({ subjects, override }) => ({
      appliesTo: compileSubjects(subjects ?? ['*']),
      override,
    }));
  }

  of(principal: Principal): Caller {
    let caller = this.#known.get(principal);
    if (caller === undefined) {
      caller = this.#make(principal);
      this.#known.set(principal, caller);
    }
    return caller;
  }

  #make(principal: Principal): Caller {
    const teams = this.#membership.teamsOf(principal);
    const subjects = subjectsOf(principal, teams);
    const byKey = modelsOfKey(principal);
    const byAccount = this.#access.modelsOf(subjects);
    return {
      principal,
      teams,
      teamsJson: teams.length > 0 ? JSON.stringify(teams) : undefined,
      subjects,
      metadata: this.#metadata(principal, teams, subjects),
      allows: (model, slug) =>
        (byKey(model) || (slug !== undefined && byKey(slug))) && (byAccount === undefined || byAccount(model)),
    };
  }

  /** The nearer layer wins: rules, then teams, then the subject itself, then the key. */
  #metadata(principal: Principal, teams: readonly string[], subjects: ReadonlySet<string>): Caller['metadata'] {
    const layers = [
      ...this.#metadataRules.filter((rule) => rule.appliesTo(subjects)).map((rule) => rule.override),
      ...teams.map((team) => this.#membership.tagsOf(`team:${team}`)),
      this.#membership.tagsOf(principal.subject),
      principal.metadata,
    ];
    const merged: Record<string, string> = Object.assign({}, ...layers);
    return Object.keys(merged).length > 0 ? merged : undefined;
  }
}

/** What rules about subjects are held against. `teams`: of the key, and by membership. */
export function subjectsOf({ subject }: Principal, teams: readonly string[]): ReadonlySet<string> {
  // As the key writes it and as rules do: an issuer of keys may write e-mail addresses in any case.
  const own = [subject, canonicalSubject(subject)];
  return new Set([...own, ...teams.map((team) => `team:${team}`), 'team:everyone', '*']);
}

const allowsAll: ModelMatcher = () => true;

/** Which canonical models the patterns of a key allow. Compiled once per list. */
function modelsOfKey({ models }: Principal): ModelMatcher {
  return models === undefined ? allowsAll : compilePatterns(models);
}

/** Undefined: the caller may use this canonical model. The refusal names both. */
export function authorize(caller: Caller, model: string, slug?: string): GatewayError | undefined {
  if (caller.allows(model, slug)) return undefined;
  return new GatewayError('model_forbidden', {
    param: 'model',
    detail: `\`${caller.principal.subject}\` may not use \`${model}\`.`,
    target: model,
  });
}
