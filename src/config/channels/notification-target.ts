import { z } from 'zod';
import { text } from '../scalar-schema.ts';

/** Where a message goes; `notification_channel` names an integration of a channel account. `webhook` is ours. */

const notification_channel = text(512).describe('`<account>/<integration>` of a notification channel.');
const addressError = 'an e-mail address';
const address = z
  .string({ error: addressError })
  .regex(/^[^\s@<>,;"\x00-\x1f\x7f]{1,128}@[^\s@<>,;"\x00-\x1f\x7f]{1,255}$/, { error: addressError });

export const notificationTarget = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('email'),
    notification_channel,
    to_emails: z.array(address).max(100).describe('Who reads it.'),
  }),
  z.object({ type: z.literal('slack-webhook'), notification_channel }),
  z.object({
    type: z.literal('slack-bot'),
    notification_channel,
    channels: z.array(text(256)).max(100).describe('Where it is posted.'),
  }),
  z.object({ type: z.literal('pagerduty'), notification_channel }),
  z.object({ type: z.literal('ms-teams-webhook'), notification_channel }),
  z.object({ type: z.literal('webhook'), notification_channel }),
]);

export type WrittenTarget = z.output<typeof notificationTarget>;

/** With its channel put in: where a message goes. Holds secrets: never logged. */
export type NotificationTarget =
  | { type: 'email'; smtp: SmtpServer; from: string; to: string[] }
  | { type: 'slack-webhook' | 'ms-teams-webhook' | 'webhook'; url: string; headers?: Record<string, string> }
  | { type: 'slack-bot'; botToken: string; channels: string[] }
  | { type: 'pagerduty'; integrationKey: string; url: string };

export interface SmtpServer {
  host: string;
  port: number;
  tls: boolean;
  username?: string;
  password?: string;
}
