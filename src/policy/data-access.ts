import type { DataAccessRule, DataKind, Identities } from '../config/configuration.ts';
import { canonicalSubject } from '../config/subject.ts';
import { Membership } from './membership.ts';
import { compileSubjects } from './subject-match.ts';

/** Of an exchange that somebody may see, or not. */
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

/**
 * Which exchanges somebody may see, by the rules of `gateway-data-access-config`: what any rule that is about them opens.
 * Everybody sees their own. Whoever holds the admin key sees all, and asks no rule.
 */
export function visibleTo(
  viewer: Viewer,
  kind: DataKind,
  { identities, dataAccess }: { readonly identities: Identities; readonly dataAccess: readonly DataAccessRule[] },
): (request: SeenRequest) => boolean {
  const { subject } = viewer;
  const own = canonicalSubject(subject);
  const joined = new Membership(identities).teamsOf({
    subject,
    keyId: '',
    teams: viewer.teams,
    models: undefined,
    metadata: {},
  });
  const teams = new Set(joined);
  const names = new Set([subject, own, ...joined.map((team) => `team:${team}`), 'team:everyone', '*']);
  const rules = dataAccess.filter(
    ({ dataKinds, subjects }) => dataKinds.includes(kind) && compileSubjects(subjects)(names),
  );
  return (request) => {
    if (request.subject !== undefined && canonicalSubject(request.subject) === own) return true;
    return rules.some((rule) => {
      if (rule.scope === 'team') return request.teams.some((team) => teams.has(team));
      return rule.scope === 'all' && rule.filters.every((filter) => holds(filter, request));
    });
  };
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
