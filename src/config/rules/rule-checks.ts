import { isDeepStrictEqual } from 'node:util';
import { type Manifest, positionOf, warn } from '../documents/manifests.ts';
import { didYouMean, formatPosition, type PathSegment, type Report } from '../fault.ts';
import type { KindContext } from '../kinds/manifest-kind.ts';
import { SUBJECT_KINDS, subjectKind } from '../subject.ts';
import type { BudgetRule, RateLimitRule } from './counted-rules.ts';
import type { InNotIn, RuleMatch } from './rule-match.ts';

/** A rule and where it stands. */
export interface Placed<T> {
  readonly rule: T;
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

type Rule = Pick<RateLimitRule | BudgetRule, 'id' | 'match'>;
type Budget = Pick<BudgetRule, 'id' | 'match' | 'downgradeTo' | 'limits' | 'overrides'>;

/*
 * What only all manifests together can tell of limits and budgets. Nearly all of it is a warning: models come and go.
 * `modelsAt` is the way from a rule to its list of models.
 */

/** Checks a list whose first matching rule decides: `effect` says what becomes of a rule that never is. */
export function checkRules(list: readonly Placed<Rule>[], effect: string, context: KindContext): void {
  for (const placed of list) checkMatch(placed, ['when', 'models'], context);
  for (const [index, { rule, manifest, path }] of list.entries()) {
    const before = list.slice(0, index).find((earlier) => asksNoMore(earlier.rule.match, rule.match));
    if (before === undefined) continue;
    const there = formatPosition(positionOf(before.manifest, before.path));
    const message = `rule \`${rule.id}\` ${effect}, and \`${before.rule.id}\` (${there}) matches all that it does`;
    warn(context.report, manifest, path, { message, remedy: 'Put it before that one' });
  }
}

/** Checks one budget, of either form. */
export function checkBudget(placed: Placed<Budget>, context: KindContext): void {
  checkDowngradeTarget(placed, context);
  checkAmounts(placed, context.report);
}

/** Whether what a rule asks for can be anything here. */
export function checkMatch(
  { rule, manifest, path }: Placed<Rule>,
  modelsAt: readonly PathSegment[],
  { models, report }: KindContext,
): void {
  const when = [...path, 'when'];
  const { match } = rule;
  const never = 'so this rule never matches';
  for (const [key, set] of sets(match)) {
    const included = set.in ?? [];
    if (included.length > 0 && included.every((each) => set.notIn?.includes(each))) {
      warn(report, manifest, when, { message: `all of ${key} that are asked for are excluded as well, ${never}` });
    }
  }
  const asked = match.models?.in ?? [];
  const unknown = asked.filter((model) => !models.canBe(model));
  for (const model of unknown) {
    const remedy = didYouMean(models.nearModels(model));
    const effect = unknown.length === asked.length ? `, ${never}` : '';
    warn(report, manifest, [...path, ...modelsAt, asked.indexOf(model)], {
      message: `there is no model \`${model}\`${effect}`,
      ...(remedy && { remedy }),
    });
  }
  const subjects = match.subjects?.in ?? [];
  const nobody = subjects.filter((subject) => subject !== '*' && !SUBJECT_KINDS.has(subjectKind(subject) ?? ''));
  if (nobody.length === 0) return;
  const effect = nobody.length === subjects.length ? `, ${never}` : '';
  const named = nobody.map((subject) => `\`${subject}\``).join(', ');
  const allowed = '`user:…`, `team:…`, `virtualaccount:…`';
  warn(report, manifest, [...when, 'subjects'], {
    message: `${named}: of this kind there is nobody here${effect}`,
    allowed,
  });
}

function sets(match: RuleMatch): [string, InNotIn][] {
  const { metadata, ...others } = match;
  return [...Object.entries(others), ...Object.entries(metadata ?? {})];
}

function asksNoMore(earlier: RuleMatch, later: RuleMatch): boolean {
  return Object.entries(earlier).every(([key, value]) => isDeepStrictEqual(value, Reflect.get(later, key)));
}

/** Where a spent budget sends to must be there: otherwise it would refuse, which its manifest does not say. */
function checkDowngradeTarget({ rule, manifest, path }: Placed<Budget>, { models, report }: KindContext): void {
  const { downgradeTo } = rule;
  if (downgradeTo === undefined || (!downgradeTo.includes('*') && models.canBe(downgradeTo))) return;
  report.faults.push({
    code: 'invalid-value',
    ...positionOf(manifest, [...path, 'downgrade_to']),
    message: 'there is no such model',
    found: `\`${downgradeTo}\``,
    allowed: 'a model as `account/model`',
    remedy: didYouMean(models.nearModels(downgradeTo)),
  });
}

function checkAmounts({ rule, manifest, path }: Placed<Budget>, report: Report): void {
  if (rule.limits.length > 0 || rule.overrides.some((each) => each.limits.length > 0)) return;
  warn(report, manifest, [...path, 'limits'], { message: 'no limit is given, so this budget has no effect' });
}
