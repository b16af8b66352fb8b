import { ACCESS_ROLES, MANAGER_ROLE } from '../config/access-roles.ts';
import type { AccountManifest, Configuration } from '../config/configuration.ts';
import { madeOnce } from '../core/made-once.ts';
import type { Steps } from '../core/steps.ts';
import { zodLater } from '../core/zod-later.ts';
import type { ModelMatcher } from './model-pattern.ts';
import { compileSubjects, type SubjectMatcher } from './subject-match.ts';

/** What an account's manifest says of access, whatever its kind: checked by its schema before it came here. */
const accountAccess = madeOnce(() => {
  const z = zodLater();
  return z.object({
    collaborators: z.array(z.object({ subject: z.string(), role_id: z.string() })).optional(),
    integrations: z
      .array(z.object({ name: z.string(), authorized_subjects: z.array(z.string()).optional() }))
      .optional(),
  });
});

type AccountAccess = ReturnType<ReturnType<typeof accountAccess>['parse']>;

/** By the manifest, which a reload keeps where it says the same: to check a hundred models again takes a millisecond. */
const known = new WeakMap<AccountManifest, AccountAccess>();

function accessOf(account: AccountManifest): AccountAccess {
  let access = known.get(account);
  if (access === undefined) {
    access = accountAccess().parse(account);
    known.set(account, access);
  }
  return access;
}

/** What takes AccessRules its time, ahead of them: a step for each account. */
export function* readAccess({ accounts }: Pick<Configuration, 'accounts'>): Steps<void> {
  for (const account of accounts) {
    accessOf(account);
    yield;
  }
}

export type AccessConfiguration = Pick<Configuration, 'accounts' | 'identities'> &
  Partial<Pick<Configuration, 'virtualModels'>>;

/** One account that has a rule: who is not named may not use it. */
interface AccountRule {
  /** Managers and whoever was granted the whole account: all of its models. */
  readonly all: SubjectMatcher;
  /** Collaborators: the models that say nothing of their own. */
  readonly others: SubjectMatcher;
  /** Models with `authorized_subjects`. */
  readonly restricted: ReadonlySet<string>;
  /** Authorized or granted one model. */
  readonly single: readonly { readonly model: string; readonly subjects: SubjectMatcher }[];
}

/** What one caller may do in one account. */
interface Decision {
  readonly all: boolean;
  readonly others: boolean;
  readonly single: ReadonlySet<string>;
}

/**
 * The rules of access to models. An account without collaborators, authorized subjects and grants is open
 * to everybody; with any of them it is closed to all who are not named. Rules are about canonical names, and an account
 * that lists no models needs no entry per model: nothing here grows with what clients ask for.
 */
export class AccessRules {
  readonly #accounts = new Map<string, AccountRule>();

  constructor({ accounts, virtualModels = [], identities }: AccessConfiguration) {
    const grants = Map.groupBy(identities.grants, ({ account }) => account);
    const groups = virtualModels.map(({ name, collaborators }) => ({ type: 'virtual', name, collaborators }));
    for (const account of [...accounts, ...groups]) {
      const rule = ruleOf(account, grants.get(account.name) ?? []);
      if (rule) this.#accounts.set(account.name, rule);
    }
  }

  /** The models for whoever all of these are; undefined: nothing is closed to anybody. */
  modelsOf(subjects: ReadonlySet<string>): ModelMatcher | undefined {
    if (this.#accounts.size === 0) return undefined;
    const decisions = new Map<string, Decision>();
    return (model) => {
      const slash = model.indexOf('/');
      const account = model.slice(0, slash);
      const rule = this.#accounts.get(account);
      if (rule === undefined) return true;
      let decision = decisions.get(account);
      if (decision === undefined) {
        decision = decide(rule, subjects);
        decisions.set(account, decision);
      }
      if (decision.all) return true;
      const name = model.slice(slash + 1);
      return decision.single.has(name) || (decision.others && !rule.restricted.has(name));
    };
  }
}

function ruleOf(account: AccountManifest, grants: Configuration['identities']['grants']): AccountRule | undefined {
  const { collaborators = [], integrations = [] } = accessOf(account);
  const restricted = integrations.filter((each) => each.authorized_subjects !== undefined);
  if (collaborators.length === 0 && restricted.length === 0 && grants.length === 0) return undefined;
  const subjectsWith = (roles: ReadonlySet<string>): string[] =>
    collaborators.filter(({ role_id: role }) => roles.has(role)).map(({ subject }) => subject);
  const wholeAccount = grants.filter(({ integration }) => integration === undefined).map(({ subject }) => subject);
  const single = [
    ...restricted.map(({ name, authorized_subjects: subjects = [] }) => ({ model: name, subjects })),
    ...grants.flatMap(({ subject, integration }) =>
      integration === undefined ? [] : [{ model: integration, subjects: [subject] }],
    ),
  ];
  return {
    all: compileSubjects([...subjectsWith(new Set([MANAGER_ROLE])), ...wholeAccount]),
    others: compileSubjects(subjectsWith(ACCESS_ROLES)),
    restricted: new Set(restricted.map(({ name }) => name)),
    single: single.map(({ model, subjects }) => ({ model, subjects: compileSubjects(subjects) })),
  };
}

function decide(rule: AccountRule, subjects: ReadonlySet<string>): Decision {
  const single = rule.single.filter((each) => each.subjects(subjects)).map(({ model }) => model);
  return { all: rule.all(subjects), others: rule.others(subjects), single: new Set(single) };
}
