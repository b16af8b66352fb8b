import { z } from 'zod';
import { integrationName } from '../account-schema.ts';
import { headerMap, optionalKey, secretText, text, wholeNumber } from '../scalar-schema.ts';
import type { NotificationTarget, SmtpServer } from './notification-target.ts';

/** The integrations that are notification channels. */

/** A target that lacks only whom: what an integration knows of it. */
export type Channel =
  | { type: 'email'; smtp: SmtpServer; from: string }
  | Extract<NotificationTarget, { url: string }>
  | { type: 'slack-bot'; botToken: string };

const webhookError = 'an http:// or https:// address without user name and fragment';
/** The address itself is the secret: whoever has it may post. Queries are part of it. */
export const webhookUrl = secretText(4096).refine((value) => isWebhook(value), { error: webhookError });

function isWebhook(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, hash } = new URL(value);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === '';
}

const common = {
  name: integrationName,
  /** The users of the channel in the reference product's editor; here each author of manifests is one. */
  authorized_subjects: optionalKey(z.array(text(320))).describe('Has no effect: whoever writes manifests may use it.'),
};

export interface ChannelIntegration {
  name: string;
  channel: Channel;
  restricted: boolean;
}

function integration(name: string, subjects: readonly string[] | undefined, channel: Channel): ChannelIntegration {
  return { name, channel, restricted: subjects !== undefined };
}

export const email = z
  .object({
    type: z.literal('integration/notification-channel/email'),
    ...common,
    from_email: text(320).describe('The sender.'),
    auth_data: z
      .object({
        type: z.literal('smtp-credentials'),
        host: text(253).describe('Of the mail server.'),
        port: wholeNumber(1, 65_535).describe('Of the mail server.'),
        tls: z.boolean().describe('Whether the connection begins with TLS.'),
        username: optionalKey(text(320)).describe('With a password, or not at all.'),
        password: optionalKey(secretText(4096)).describe('Of that user.'),
      })
      .superRefine((written, context) => {
        if ((written.username === undefined) === (written.password === undefined)) return;
        const path = [written.username === undefined ? 'username' : 'password'];
        context.issues.push({
          code: 'custom',
          path,
          message: 'both `username` and `password`, or neither',
          input: written,
        });
      })
      .describe('The mail server.'),
  })
  .transform(({ name, authorized_subjects, from_email: from, auth_data: { host, port, tls, username, password } }) => {
    const smtp: SmtpServer = {
      host,
      port,
      tls,
      ...(username !== undefined && password !== undefined && { username, password }),
    };
    return integration(name, authorized_subjects, { type: 'email', smtp, from });
  });

/** Where the address is all there is. */
function webhookAuth<T extends string>(type: T) {
  return z
    .object({ type: z.literal(type), webhook_url: webhookUrl.describe('The address itself is the secret.') })
    .describe('Where messages are posted.');
}

export const slackWebhook = z
  .object({
    type: z.literal('integration/notification-channel/slack-webhook'),
    ...common,
    auth_data: webhookAuth('slack-webhook'),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'slack-webhook', url }),
  );

export const slackBot = z
  .object({
    type: z.literal('integration/notification-channel/slack-bot'),
    ...common,
    auth_data: z
      .object({ type: z.literal('slack-bot'), bot_token: secretText(4096).describe('`xoxb-…`.') })
      .describe('The bot that posts.'),
  })
  .transform(({ name, authorized_subjects, auth_data: { bot_token: botToken } }) =>
    integration(name, authorized_subjects, { type: 'slack-bot', botToken }),
  );

export const pagerduty = z
  .object({
    type: z.literal('integration/notification-channel/pagerduty'),
    ...common,
    auth_data: z
      .object({
        type: z.literal('pagerduty-integration-auth'),
        integration_key: secretText(4096).describe('Of the service that is alerted.'),
        integration_url: webhookUrl.describe('Where events are sent.'),
      })
      .describe('The service that is alerted.'),
  })
  .transform(({ name, authorized_subjects, auth_data: { integration_key: integrationKey, integration_url: url } }) =>
    integration(name, authorized_subjects, { type: 'pagerduty', integrationKey, url }),
  );

export const msTeams = z
  .object({
    type: z.literal('integration/notification-channel/ms-teams-webhook'),
    ...common,
    auth_data: webhookAuth('ms-teams-webhook'),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'ms-teams-webhook', url }),
  );

/** Ours: any address that takes a JSON document. */
export const webhook = z
  .object({
    type: z.literal('integration/notification-channel/webhook'),
    ...common,
    webhook_url: webhookUrl.describe('Takes a JSON document.'),
    headers: optionalKey(headerMap()).describe('Sent with it.'),
  })
  .transform(({ name, authorized_subjects, webhook_url: url, headers }) =>
    integration(name, authorized_subjects, { type: 'webhook', url, ...(headers && { headers }) }),
  );
