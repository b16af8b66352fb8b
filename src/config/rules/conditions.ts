import { z } from 'zod';
import { canonicalModel } from '../resource-name.ts';
import { keyWithDefault, optionalKey, restricting } from '../scalar-schema.ts';
import { subjectPattern, teamName, userName, virtualAccountName } from '../subject-schema.ts';
import type { GroupKey, InNotIn, RuleMatch } from './rule-match.ts';

/**
 * `when` of limits and budgets. All that is given must hold. An absent, null or empty list asks for nothing, since the
 * reference product's own editor writes empty lists for what was not filled in.
 */

const modelError = 'a model as `account/model`, in which `*` stands for any characters';
/** Canonical, or a pattern of canonical names. */
export const modelPattern = z
  .string({ error: modelError })
  .regex(/^[A-Za-z0-9._:/@+*-]{1,320}$/, { error: modelError })
  .transform(canonicalModel);

const valueError = 'text of up to 256 characters';
/** YAML reads `tier: 1` as a number; a request's metadata is text always. */
export const metadataValue = z
  .union([z.string().max(256), z.number(), z.boolean()], { error: valueError })
  .transform((value) => String(value));

const metadataKeyError = 'a key of 1 to 128 characters';
export const metadataKey = z.string().regex(/^[^\x00-\x1f\x7f]{1,128}$/, { error: metadataKeyError });

/** Other names that people give `when`. */
export const WHEN_NAMES = ['if', 'match', 'matches', 'condition', 'conditions', 'filter', 'filters', 'where'];

const whenText = 'Which requests it is about; all that is given must hold. Absent: all requests.';

export const subjectsKey = restricting(optionalKey(z.array(subjectPattern))).describe(
  'One of these: `user:…`, `team:…`, `virtualaccount:…`, with `*` for any characters.',
);

export const ruleConditionKeys = {
  subjects: subjectsKey,
  models: restricting(optionalKey(z.array(modelPattern))).describe('One of these, as `account/model`; with `*`.'),
  metadata: restricting(optionalKey(z.record(metadataKey, metadataValue))).describe(
    'All of these, as key to value, in the metadata of the request.',
  ),
};

export const ruleConditions = restricting(optionalKey(z.object(ruleConditionKeys)), WHEN_NAMES).describe(whenText);

function inNotIn<T extends z.ZodType<string>>(item: T) {
  return restricting(
    optionalKey(
      z.object(
        {
          in: restricting(optionalKey(z.array(item))).describe('One of these.'),
          not_in: restricting(optionalKey(z.array(item)), ['exclude', 'excludes', 'except']).describe('None of these.'),
        },
        { error: 'a map of `in` and `not_in`, each of them a list' },
      ),
    ),
  );
}

const subjectSets = {
  users: inNotIn(userName).describe('By e-mail address.'),
  virtual_accounts: inNotIn(virtualAccountName).describe('By name.'),
};
const subjectsText = 'Who asks. Users and virtual accounts are one list; a list of teams must hold besides.';

const conditions = {
  models: inNotIn(modelPattern).describe('As `account/model`, with `*` for any characters.'),
  metadata: restricting(optionalKey(z.record(metadataKey, inNotIn(metadataValue)))).describe(
    'By key of the metadata of the request.',
  ),
};

export const tenantBudgetConditions = restricting(
  optionalKey(
    z.object({
      subjects: restricting(
        optionalKey(z.object({ ...subjectSets, teams: inNotIn(teamName).describe('By name.') })),
      ).describe(subjectsText),
      ...conditions,
    }),
  ),
  WHEN_NAMES,
).describe(whenText);

/** Its team is said beside it. */
export const teamBudgetConditions = restricting(
  optionalKey(
    z.object({ subjects: restricting(optionalKey(z.object(subjectSets))).describe(subjectsText), ...conditions }),
  ),
  WHEN_NAMES,
).describe(whenText);

const groupError = '`user`, `virtualaccount`, `model` or `metadata.<key>`';

const groupKey = z.string({ error: groupError }).transform((written, context): GroupKey => {
  if (written === 'user' || written === 'virtualaccount' || written === 'model') return written;
  if (/^metadata\.[^\x00-\x1f\x7f]{1,128}$/.test(written)) return `metadata.${written.slice('metadata.'.length)}`;
  context.issues.push({ code: 'custom', message: groupError, input: written });
  return z.NEVER;
});

/** `…_applies_per`; the reference product takes two, some more do no harm. */
export const groupKeys = restricting(
  keyWithDefault(
    z
      .array(groupKey)
      .max(8, { error: 'at most 8 keys' })
      .transform((keys) => [...new Set(keys)]),
    [],
  ),
).describe('One count for each `user`, `virtualaccount`, `model` or `metadata.<key>`; none: one count for all.');

export function matchOfRule(written: z.output<typeof ruleConditions>): RuleMatch {
  const match: RuleMatch = {};
  if (written?.subjects?.length) match.subjects = { in: written.subjects };
  if (written?.models?.length) match.models = { in: written.models };
  const metadata = Object.entries(written?.metadata ?? {});
  if (metadata.length > 0) match.metadata = Object.fromEntries(metadata.map(([key, value]) => [key, { in: [value] }]));
  return match;
}

type WrittenSet = { in?: string[] | undefined; not_in?: string[] | undefined } | undefined;

interface WrittenBudgetConditions {
  subjects?: { users?: WrittenSet; virtual_accounts?: WrittenSet; teams?: WrittenSet } | undefined;
  models?: WrittenSet;
  metadata?: Record<string, WrittenSet> | undefined;
}

/**
 * A request comes from a user or from a virtual account, so lists of both mean either, and are one list of subjects
 * here; a list of teams must hold besides.
 */
export function matchOfBudget(written: WrittenBudgetConditions | undefined, teamName: string | undefined): RuleMatch {
  const match: RuleMatch = {};
  const { users, virtual_accounts: virtualAccounts, teams } = written?.subjects ?? {};
  const subjects = setOf(
    [...named('user', users?.in), ...named('virtualaccount', virtualAccounts?.in)],
    [
      ...named('user', users?.not_in),
      ...named('virtualaccount', virtualAccounts?.not_in),
      ...named('team', teams?.not_in),
    ],
  );
  if (subjects) match.subjects = subjects;
  const wantedTeams = teamName === undefined ? teams?.in : [teamName];
  const everyone = wantedTeams?.some((team) => team === 'everyone' || team === '*') ?? true;
  if (wantedTeams?.length && !everyone) match.teams = { in: wantedTeams };
  const models = setOf(written?.models?.in, written?.models?.not_in);
  if (models) match.models = models;
  const metadata: Record<string, InNotIn> = {};
  for (const [key, set] of Object.entries(written?.metadata ?? {})) {
    const asked = setOf(set?.in, set?.not_in);
    if (asked) metadata[key] = asked;
  }
  if (Object.keys(metadata).length > 0) match.metadata = metadata;
  return match;
}

function named(kind: string, names: readonly string[] | undefined): string[] {
  return (names ?? []).map((name) => `${kind}:${name}`);
}

function setOf(included: readonly string[] = [], excluded: readonly string[] = []): InNotIn | undefined {
  if (included.length === 0 && excluded.length === 0) return undefined;
  return {
    ...(included.length > 0 && { in: [...included] }),
    ...(excluded.length > 0 && { notIn: [...excluded] }),
  };
}
