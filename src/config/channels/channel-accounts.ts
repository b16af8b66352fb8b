import { z } from 'zod';
import { accountName, basicAuth, integrationName } from '../account-schema.ts';
import type { IdentityProvider, NotificationTarget, SmtpServer } from '../configuration.ts';
import { jwtAuthIntegration } from '../identities/identity-provider.ts';
import { headerMap, keyWithDefault, optionalKey, secretText, text, wholeNumber } from '../scalar-schema.ts';

/** The accounts that hold notification channels, and issuers of JWTs. */

/** A target that lacks only whom: what an integration knows of it. */
export type Channel =
  | { type: 'email'; smtp: SmtpServer; from: string }
  | Extract<NotificationTarget, { url: string }>
  | { type: 'slack-bot'; botToken: string };

const webhookError = 'an http:// or https:// address without user name and fragment';
/** The address itself is the secret: whoever has it may post. Queries are part of it. */
const webhookUrl = secretText(4096).refine((value) => isWebhook(value), { error: webhookError });

function isWebhook(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, hash } = new URL(value);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === '';
}

const common = {
  name: integrationName,
  /** Who may use the channel in the reference product's editor; here whoever writes manifests may. */
  authorized_subjects: optionalKey(z.array(text(320))),
};

export interface ChannelIntegration {
  name: string;
  channel: Channel;
  restricted: boolean;
}

function integration(name: string, subjects: readonly string[] | undefined, channel: Channel): ChannelIntegration {
  return { name, channel, restricted: subjects !== undefined };
}

const email = z
  .object({
    type: z.literal('integration/notification-channel/email'),
    ...common,
    from_email: text(320),
    auth_data: z
      .object({
        type: z.literal('smtp-credentials'),
        host: text(253),
        port: wholeNumber(1, 65_535),
        tls: z.boolean(),
        username: optionalKey(text(320)),
        password: optionalKey(secretText(4096)),
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
      }),
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

const slackWebhook = z
  .object({
    type: z.literal('integration/notification-channel/slack-webhook'),
    ...common,
    auth_data: z.object({ type: z.literal('slack-webhook'), webhook_url: webhookUrl }),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'slack-webhook', url }),
  );

const slackBot = z
  .object({
    type: z.literal('integration/notification-channel/slack-bot'),
    ...common,
    auth_data: z.object({ type: z.literal('slack-bot'), bot_token: secretText(4096) }),
  })
  .transform(({ name, authorized_subjects, auth_data: { bot_token: botToken } }) =>
    integration(name, authorized_subjects, { type: 'slack-bot', botToken }),
  );

const pagerduty = z
  .object({
    type: z.literal('integration/notification-channel/pagerduty'),
    ...common,
    auth_data: z.object({
      type: z.literal('pagerduty-integration-auth'),
      integration_key: secretText(4096),
      integration_url: webhookUrl,
    }),
  })
  .transform(({ name, authorized_subjects, auth_data: { integration_key: integrationKey, integration_url: url } }) =>
    integration(name, authorized_subjects, { type: 'pagerduty', integrationKey, url }),
  );

const msTeams = z
  .object({
    type: z.literal('integration/notification-channel/ms-teams-webhook'),
    ...common,
    auth_data: z.object({ type: z.literal('ms-teams-webhook'), webhook_url: webhookUrl }),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'ms-teams-webhook', url }),
  );

/** Ours: any address that takes a JSON document. */
const webhook = z
  .object({
    type: z.literal('integration/notification-channel/webhook'),
    ...common,
    webhook_url: webhookUrl,
    headers: optionalKey(headerMap()),
  })
  .transform(({ name, authorized_subjects, webhook_url: url, headers }) =>
    integration(name, authorized_subjects, { type: 'webhook', url, ...(headers && { headers }) }),
  );

/** Integrations that these accounts may hold besides, and that do nothing here yet: refused by name, never ignored. */
function notYet(type: string) {
  return z
    .looseObject({ type: z.literal(type) })
    .superRefine((written, context) => {
      context.issues.push({
        code: 'custom',
        path: ['type'],
        message: 'leave this integration out; nothing in it would have an effect',
        params: { code: 'unsupported', message: 'this kind of integration is not supported yet' },
        input: written,
      });
    })
    .transform(() => z.NEVER);
}

export interface ChannelAccount {
  name: string;
  integrations: (ChannelIntegration | IssuerIntegration)[];
}

interface IssuerIntegration {
  name: string;
  identityProvider: IdentityProvider;
}

export interface ChannelAccountKind {
  readonly type: string;
  readonly schema: z.ZodType<ChannelAccount>;
}

function accountKind<I extends z.ZodType<ChannelIntegration | IssuerIntegration>>(
  name: string,
  member: I,
  more: z.ZodRawShape = {},
): ChannelAccountKind {
  const type = `provider-account/${name}`;
  const schema = z.object({
    type: z.literal(type),
    name: accountName,
    ownedBy: optionalKey(z.object({ account: optionalKey(text(256)), team: optionalKey(text(256)) })),
    integrations: keyWithDefault(z.array(member), []),
    ...more,
  });
  return { type, schema };
}

export const channelAccountKinds: readonly ChannelAccountKind[] = [
  accountKind(
    'custom',
    z.discriminatedUnion('type', [
      email,
      jwtAuthIntegration,
      notYet('integration/secret-store/custom/generic'),
      notYet('integration/blob-storage/custom'),
    ]),
    { auth_data: optionalKey(basicAuth) },
  ),
  accountKind('slack', z.discriminatedUnion('type', [slackWebhook, slackBot])),
  accountKind('pagerduty', z.discriminatedUnion('type', [pagerduty])),
  accountKind('ms-teams', z.discriminatedUnion('type', [msTeams])),
  accountKind('webhook', z.discriminatedUnion('type', [webhook, notYet('integration/gateway-request-logger/webhook')])),
];
