import type { ChannelDirectory } from '../channels/channel-directory.ts';
import type { BudgetAlerts, BudgetRule, NotificationTarget, RateLimitRule } from '../configuration.ts';
import type { PathSegment } from '../fault.ts';
import { type Manifest, parseKind, type Report, warn } from '../manifests.ts';
import type { WrittenAlerts } from './budget-alerts.ts';
import { teamBudgetSchema, tenantBudgetSchema } from './budget-manifests.ts';
import { budgetRulesSchema, type WrittenBudget } from './budget-rules.ts';
import { rateLimitsSchema } from './rate-limits.ts';

/** A rule and where it stands, for what only several manifests together can tell. */
export interface Placed<T> {
  readonly rule: T;
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

export function readRateLimits(manifests: readonly Manifest[], report: Report): Placed<RateLimitRule>[][] {
  return parseKind('gateway-rate-limiting-config', rateLimitsSchema, manifests, report).map(({ manifest, value }) =>
    value.rules.map((rule, index) => ({ rule, manifest, path: ['rules', index] })),
  );
}

export function readBudgets(
  manifests: readonly Manifest[],
  channels: ChannelDirectory,
  report: Report,
): Placed<BudgetRule>[] {
  const placed = ({ rule, alerts }: WrittenBudget, manifest: Manifest, path: PathSegment[], list?: number) => ({
    rule: {
      ...rule,
      ...(list !== undefined && { list }),
      ...(alerts && { alerts: alertsOf(alerts, manifest, [...path, 'alerts'], channels, report) }),
    },
    manifest,
    path,
  });
  const lists = parseKind('gateway-budget-config', budgetRulesSchema, manifests, report);
  const rules = lists.flatMap(({ manifest, value }, list) =>
    value.rules.map((written, index) => placed(written, manifest, ['rules', index], list)),
  );
  const single = [
    ...parseKind('tenant-budget-config', tenantBudgetSchema, manifests, report),
    ...parseKind('team-budget-config', teamBudgetSchema, manifests, report),
  ];
  return [...rules, ...single.map(({ manifest, value }) => placed(value, manifest, []))];
}

function alertsOf(
  written: WrittenAlerts,
  manifest: Manifest,
  path: PathSegment[],
  channels: ChannelDirectory,
  report: Report,
): BudgetAlerts {
  const targets: NotificationTarget[] = [];
  for (const [index, target] of written.notification_target.entries()) {
    const resolved = channels.resolve(target, manifest, [...path, 'notification_target', index]);
    if (resolved === undefined) continue;
    if ('code' in resolved) report.faults.push(resolved);
    else targets.push(resolved);
  }
  const sendTo = written.send_to ?? 'shared';
  if (sendTo === 'breaching-user' && !targets.some((target) => target.type === 'email')) {
    const channel = channels.onlyEmail();
    // To whom, is decided when it happens.
    if (channel) targets.push({ ...channel, to: [] });
    else {
      const message = 'there is no e-mail channel, so no user can be written to';
      const remedy = 'Add a target of the type `email`, with `to_emails: []` if nobody else shall read it';
      warn(report, manifest, [...path, 'send_to'], { message, remedy });
    }
  }
  if (sendTo === 'shared' && targets.length === 0) {
    warn(report, manifest, path, { message: 'no target is named, so nobody is told; thresholds are only logged' });
  }
  return { thresholds: written.thresholds, sendTo, targets };
}
