import type { InNotIn, RuleMatch } from '../config/rules/rule-match.ts';
import type { Caller } from './caller.ts';
import { compilePatterns } from './model-pattern.ts';

/** `when` of one rule, in the two halves that cost differently: who and which model never change for a caller's model. */
export interface CompiledMatch {
  /** `models`: the names of one model, any of which the rule may name. */
  fits(caller: Caller, models: readonly string[]): boolean;
  /** The first of these names that the rule is about. */
  modelOf(models: readonly string[]): string;
  /** Only who is one of these, or is about one of these models, can fit: without a search. Undefined: it may be anybody. */
  readonly only: { readonly subjects: readonly string[] } | { readonly models: readonly string[] } | undefined;
  /** Empty: the rule asks nothing of metadata. */
  readonly metadata: readonly MetadataCondition[];
}

export interface MetadataCondition {
  readonly key: string;
  /** Undefined: the request has no such key. */
  holds(value: string | undefined): boolean;
}

type Test = (values: Iterable<string>) => boolean;

/** All that is given must hold. */
export function compileMatch(match: RuleMatch): CompiledMatch {
  const ofSubjects = [
    setTest(match.subjects),
    setTest(prefixed('user', match.users)),
    setTest(prefixed('team', match.teams)),
    setTest(prefixed('virtualaccount', match.virtualAccounts)),
  ].filter((test) => test !== undefined);
  const ofModel = setTest(match.models);
  const subjects = [
    match.subjects,
    prefixed('user', match.users),
    prefixed('team', match.teams),
    prefixed('virtualaccount', match.virtualAccounts),
  ]
    .map(namesOf)
    .find((names) => names !== undefined);
  const models = namesOf(match.models);
  const metadata: MetadataCondition[] = [];
  for (const [key, set] of Object.entries(match.metadata ?? {})) {
    const test = setTest(set);
    if (test) metadata.push({ key, holds: (value) => test(value === undefined ? [] : [value]) });
  }
  return {
    fits: (caller, models) =>
      ofSubjects.every((test) => test(caller.subjects)) && (ofModel === undefined || ofModel(models)),
    modelOf: (models) => models.find((model) => ofModel?.([model]) ?? true) ?? models[0] ?? '',
    only: subjects ? { subjects } : models && { models },
    metadata,
  };
}

/** The names of a set without patterns; undefined: it has a pattern, or includes all. */
function namesOf(set: InNotIn | undefined): readonly string[] | undefined {
  return set?.in?.length && !set.in.some((name) => name.includes('*')) ? set.in : undefined;
}

/** Undefined: nothing is asked. An empty list asks nothing: manifests show `in: []` for "anybody". */
function setTest(set: InNotIn | undefined): Test | undefined {
  const included = set?.in?.length ? compilePatterns(set.in) : undefined;
  const excluded = set?.notIn?.length ? compilePatterns(set.notIn) : undefined;
  if (included === undefined && excluded === undefined) return undefined;
  return (values) => {
    let found = included === undefined;
    for (const value of values) {
      if (excluded?.(value)) return false;
      found ||= included?.(value) === true;
    }
    return found;
  };
}

/** Names of one kind, with or without it: what they are held against always has it. */
function prefixed(kind: string, set: InNotIn | undefined): InNotIn | undefined {
  const named = (names: readonly string[] | undefined) =>
    names?.map((name) => (name.startsWith(`${kind}:`) ? name : `${kind}:${name}`));
  return set && { in: named(set.in), notIn: named(set.notIn) };
}
