import type { Identities } from '../config/identities/identities.ts';
import type { DataAccessRule, DataKind } from '../config/rules/request-log-rules.ts';
import type { ConsoleRole, ConsoleSettings } from '../config/server/console.ts';
import { canonicalSubject } from '../config/subject.ts';
import { Membership } from './membership.ts';
import { compileSubjects } from './subject-match.ts';

/** The facts of an exchange that somebody may see, or not. */
export interface SeenRequest {
  readonly subject: string | undefined;
  readonly teams: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Viewer {
  /** `user:…` or `virtualaccount:…`. */
  readonly subject: string;
  /** Beside those whose member it is by manifest. */
  readonly teams: readonly string[];
}

export interface AccessConfiguration {
  readonly identities: Identities;
  readonly dataAccess: readonly DataAccessRule[];
}

/**
 * Which exchanges somebody may see, by the rules of `gateway-data-access-config`: what any rule that is about them opens.
 * Everybody sees their own. Whoever holds the admin key sees all, and asks no rule.
 */
export function visibleTo(
  viewer: Viewer,
  kind: DataKind,
  configuration: AccessConfiguration,
): (request: SeenRequest) => boolean {
  const own = canonicalSubject(viewer.subject);
  const { teams, names } = namesOf(viewer, configuration);
  const rules = rulesAbout(names, kind, configuration);
  return (request) => {
    if (request.subject !== undefined && canonicalSubject(request.subject) === own) return true;
    return rules.some((rule) => {
      if (rule.scope === 'team') return request.teams.some((team) => teams.has(team));
      return rule.scope === 'all' && rule.filters.every((filter) => holds(filter, request));
    });
  };
}

/** `all`: without any filter. `team`: more than their own, and not all. */
export type DataScope = 'own' | 'team' | 'all';

/** How much somebody sees of every kind of data. */
export function scopeOf(viewer: Viewer, configuration: AccessConfiguration): DataScope {
  const { names } = namesOf(viewer, configuration);
  const scopes = (['traces', 'metrics'] as const).map((kind) => {
    const rules = rulesAbout(names, kind, configuration).filter(({ scope }) => scope !== 'own');
    if (rules.length === 0) return 0;
    return rules.some(({ scope, filters }) => scope === 'all' && filters.length === 0) ? 2 : 1;
  });
  return (['own', 'team', 'all'] as const)[Math.min(...scopes)] ?? 'own';
}

/** The highest role that rules of the console give; undefined: none does. */
export function consoleRoleOf(
  viewer: Viewer,
  { identities }: Pick<AccessConfiguration, 'identities'>,
  rules: ConsoleSettings['roles'],
): ConsoleRole | undefined {
  const { names } = namesOf(viewer, { identities });
  const given = new Set(rules.filter(({ subjects }) => compileSubjects(subjects)(names)).map(({ role }) => role));
  return (['admin', 'operator', 'viewer'] as const).find((role) => given.has(role));
}

/** Whether somebody is one of these subjects, or in one of these teams. */
export function isAmong(
  viewer: Viewer,
  subjects: readonly string[],
  configuration: Pick<AccessConfiguration, 'identities'>,
) {
  return compileSubjects(subjects)(namesOf(viewer, configuration).names);
}

function namesOf(
  { subject, teams }: Viewer,
  { identities }: Pick<AccessConfiguration, 'identities'>,
): { readonly teams: ReadonlySet<string>; readonly names: ReadonlySet<string> } {
  const joined = new Membership(identities).teamsOf({ subject, keyId: '', teams, models: undefined, metadata: {} });
  const own = [subject, canonicalSubject(subject)];
  return {
    teams: new Set(joined),
    names: new Set([...own, ...joined.map((team) => `team:${team}`), 'team:everyone', '*']),
  };
}

function rulesAbout(
  names: ReadonlySet<string>,
  kind: DataKind,
  { dataAccess }: Pick<AccessConfiguration, 'dataAccess'>,
): readonly DataAccessRule[] {
  return dataAccess.filter(({ dataKinds, subjects }) => dataKinds.includes(kind) && compileSubjects(subjects)(names));
}

function holds({ key, values }: DataAccessRule['filters'][number], { subject, metadata }: SeenRequest): boolean {
  if (key !== undefined) return Object.hasOwn(metadata, key) && values.includes(metadata[key]!);
  return subject !== undefined && isNamed(subject, values);
}

/** With its kind or without it: rules name users by e-mail address, too. */
export function isNamed(subject: string, names: readonly string[]): boolean {
  const own = canonicalSubject(subject);
  return names.some(
    (name) =>
      canonicalSubject(name) === own || own === canonicalSubject(`user:${name}`) || own === `virtualaccount:${name}`,
  );
}
