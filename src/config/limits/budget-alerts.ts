import { z } from 'zod';
import { notificationTarget } from '../channels/notification-target.ts';
import { keyWithDefault } from '../scalar-schema.ts';

/** `alerts` of both forms of budget; the channels are put in when all manifests are read. */

const DEFAULT_THRESHOLDS = [75, 90, 95, 100];
const thresholdError = 'percent, a number from 0 to 100';

export const thresholds = keyWithDefault(
  z
    .array(z.number({ error: thresholdError }).min(0, { error: thresholdError }).max(100, { error: thresholdError }))
    .max(32, { error: 'at most 32 thresholds' })
    .transform((list) => [...new Set(list)].sort((a, b) => a - b)),
  DEFAULT_THRESHOLDS,
);

export const ruleAlerts = z.object({
  thresholds,
  notification_target: keyWithDefault(z.array(notificationTarget), []),
});

export const budgetAlerts = ruleAlerts.extend({
  send_to: keyWithDefault(z.enum(['shared', 'breaching-user']), 'shared'),
});

export type WrittenAlerts = z.output<typeof ruleAlerts> & Partial<Pick<z.output<typeof budgetAlerts>, 'send_to'>>;
