import { z } from 'zod';
import { type ChannelDirectory, channelDirectory } from '../channels/channel-directory.ts';
import { type NotificationTarget, notificationTarget } from '../channels/notification-target.ts';
import { type Manifest, warn } from '../documents/manifests.ts';
import type { PathSegment, Report } from '../fault.ts';
import type { KindContext } from '../kinds/manifest-kind.ts';
import { canonicalModel } from '../resource-name.ts';
import { keyWithDefault, optionalKey, text } from '../scalar-schema.ts';
import type { BudgetAlerts, BudgetRule } from './counted-rules.ts';
import type { Placed } from './rule-checks.ts';

/** What both forms of budget share: alerts, the downgrade, and the way from what is written to a rule. */

/** A budget whose alerts name channels that other manifests hold. */
export interface WrittenBudget {
  rule: Omit<BudgetRule, 'alerts' | 'list'>;
  alerts?: WrittenAlerts;
}

const DEFAULT_THRESHOLDS = [75, 90, 95, 100];
const thresholdError = 'percent, a number from 0 to 100';

const thresholds = keyWithDefault(
  z
    .array(z.number({ error: thresholdError }).min(0, { error: thresholdError }).max(100, { error: thresholdError }))
    .max(32, { error: 'at most 32 thresholds' })
    .transform((list) => [...new Set(list)].sort((a, b) => a - b)),
  DEFAULT_THRESHOLDS,
).describe('Percent of the limit at which somebody is told.');

export const ruleAlerts = z.object({
  thresholds,
  notification_target: keyWithDefault(z.array(notificationTarget), []).describe('Who is told, and by which channel.'),
});

export const budgetAlerts = ruleAlerts.extend({
  send_to: keyWithDefault(z.enum(['shared', 'breaching-user']), 'shared').describe(
    'The targets, or besides them by e-mail the user who spent it.',
  ),
});

type WrittenAlerts = z.output<typeof ruleAlerts> & Partial<Pick<z.output<typeof budgetAlerts>, 'send_to'>>;

export const downgradeTarget = optionalKey(text(320).transform(canonicalModel)).describe(
  'With `mode: downgrade` the cheaper model that is asked when the budget is spent.',
);

interface Downgrade {
  mode?: string | undefined;
  downgrade_to?: string | undefined;
}

/** Where to, is said exactly where `mode` is `downgrade`. */
export function checkDowngrade(written: Downgrade, context: z.core.$RefinementCtx): void {
  const wanted = written.mode === 'downgrade';
  if (wanted === (written.downgrade_to !== undefined)) return;
  context.issues.push({
    code: 'custom',
    path: ['downgrade_to'],
    message: wanted
      ? 'the cheaper model that is asked instead, as `account/model`'
      : 'only where `mode` is `downgrade`',
    ...(wanted ? undefined : { params: { message: 'this key has no meaning here' } }),
    input: written,
  });
}

/** With its channels put in. `list`: place of its manifest among those of v1; undefined: it decides for itself. */
export function budgetRules(
  budgets: readonly (Placed<WrittenBudget> & { list?: number })[],
  context: KindContext,
): BudgetRule[] {
  const channels = channelDirectory(context);
  return budgets.map(({ rule: { rule, alerts }, manifest, path, list }) => ({
    ...rule,
    ...(list !== undefined && { list }),
    ...(alerts && { alerts: alertsOf(alerts, manifest, [...path, 'alerts'], channels, context.report) }),
  }));
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
  if (sendTo === 'shared' && written.notification_target.length === 0) {
    warn(report, manifest, path, { message: 'no target is named, so nobody is told; thresholds are only logged' });
  }
  return { thresholds: written.thresholds, sendTo, targets };
}
