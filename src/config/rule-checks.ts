import { isDeepStrictEqual } from 'node:util';
import type { BudgetRule, InNotIn, RateLimitRule, RuleMatch } from './configuration.ts';
import { didYouMean, formatPosition } from './fault.ts';
import type { PlacedGrant } from './identities/grants.ts';
import type { KnownModels } from './known-models.ts';
import type { Placed } from './limits/read-limits.ts';
import { positionOf, type Report, warn } from './manifests.ts';
import { SUBJECT_KINDS, subjectKind } from './subject.ts';

type Rule = Pick<RateLimitRule | BudgetRule, 'id' | 'match'>;

/** What only all manifests together can tell of limits and grants. Nearly all of it is a warning: models come and go. */
export function checkRules(
  rateLimits: readonly (readonly Placed<RateLimitRule>[])[],
  budgets: readonly Placed<BudgetRule>[],
  grants: readonly PlacedGrant[],
  models: KnownModels,
  report: Report,
): void {
  for (const list of rateLimits) {
    for (const placed of list) checkMatch(placed, models, report);
    checkOrder(list, 'never counts: the first rule that matches decides', report);
  }
  for (const placed of budgets) {
    checkMatch(placed, models, report);
    checkDowngrade(placed, models, report);
    checkAmounts(placed, report);
  }
  const lists = Map.groupBy(budgets, ({ rule }) => rule.list);
  lists.delete(undefined);
  for (const list of lists.values()) checkOrder(list, 'never decides, it is only charged', report);
  for (const { grant, manifest, path } of grants) {
    const { account, integration } = grant;
    if (integration === undefined ? models.hasAccount(account) : models.hasModel(account, integration)) continue;
    const name = integration === undefined ? account : `${account}/${integration}`;
    const near = integration === undefined ? models.nearAccounts(account) : models.nearModels(name);
    const remedy = didYouMean(near);
    warn(report, manifest, path, {
      message: `there is no \`${name}\`; the grant has no effect`,
      ...(remedy && { remedy }),
    });
  }
}

function checkMatch({ rule, manifest, path }: Placed<Rule>, models: KnownModels, report: Report): void {
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
    const place = manifest.type === 'tenant-budget-config' || manifest.type === 'team-budget-config' ? ['in'] : [];
    warn(report, manifest, [...when, 'models', ...place, asked.indexOf(model)], {
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

/** A rule behind one that asks for no more than it does. */
function checkOrder(list: readonly Placed<Rule>[], effect: string, report: Report): void {
  for (const [index, { rule, manifest, path }] of list.entries()) {
    const before = list.slice(0, index).find((earlier) => asksNoMore(earlier.rule.match, rule.match));
    if (before === undefined) continue;
    const there = formatPosition(positionOf(before.manifest, before.path));
    const message = `rule \`${rule.id}\` ${effect}, and \`${before.rule.id}\` (${there}) matches all that it does`;
    warn(report, manifest, path, { message, remedy: 'Put it before that one' });
  }
}

function asksNoMore(earlier: RuleMatch, later: RuleMatch): boolean {
  return Object.entries(earlier).every(([key, value]) => isDeepStrictEqual(value, Reflect.get(later, key)));
}

/** Where a spent budget sends to must be there: otherwise it would refuse, which its manifest does not say. */
function checkDowngrade({ rule, manifest, path }: Placed<BudgetRule>, models: KnownModels, report: Report): void {
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

function checkAmounts({ rule, manifest, path }: Placed<BudgetRule>, report: Report): void {
  if (rule.limits.length > 0 || rule.overrides.some((each) => each.limits.length > 0)) return;
  warn(report, manifest, [...path, 'limits'], { message: 'no limit is given, so this budget has no effect' });
}
