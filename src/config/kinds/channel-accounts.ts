import { z } from 'zod';
import { accountName, basicAuth, integrationName, ownedBy } from '../account-schema.ts';
import type { IdentityProvider, NotificationTarget, SmtpServer } from '../configuration.ts';
import { warn } from '../documents/manifests.ts';
import { identityProvider, issuerKeys } from '../identities/issuers.ts';
import {
  headerMap,
  keyWithDefault,
  optionalKey,
  restricting,
  secretText,
  text,
  wholeNumber,
} from '../scalar-schema.ts';
import { type ManifestKind, manifestKind } from './manifest-kind.ts';

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

const email = z
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

const slackWebhook = z
  .object({
    type: z.literal('integration/notification-channel/slack-webhook'),
    ...common,
    auth_data: webhookAuth('slack-webhook'),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'slack-webhook', url }),
  );

const slackBot = z
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

const pagerduty = z
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

const msTeams = z
  .object({
    type: z.literal('integration/notification-channel/ms-teams-webhook'),
    ...common,
    auth_data: webhookAuth('ms-teams-webhook'),
  })
  .transform(({ name, authorized_subjects, auth_data: { webhook_url: url } }) =>
    integration(name, authorized_subjects, { type: 'ms-teams-webhook', url }),
  );

/** Ours: any address that takes a JSON document. */
const webhook = z
  .object({
    type: z.literal('integration/notification-channel/webhook'),
    ...common,
    webhook_url: webhookUrl.describe('Takes a JSON document.'),
    headers: optionalKey(headerMap()).describe('Sent with it.'),
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

const loginProvider = z.object({
  type: z.literal('oauth2'),
  client_id: text(512).describe('Has no effect.'),
  client_secret: optionalKey(secretText(4096)).describe('Has no effect.'),
  authorization_url: text(2048).describe('Has no effect.'),
  token_url: text(2048).describe('Has no effect.'),
  scopes: keyWithDefault(z.array(text(256)), []).describe('Has no effect.'),
  jwt_source: z.enum(['access_token', 'id_token']).describe('Has no effect.'),
});

interface IssuerIntegration {
  name: string;
  identityProvider: IdentityProvider;
}

const jwtAuth = restricting(
  z.object({
    type: z.literal('integration/jwt-auth/custom'),
    ...issuerKeys,
    login_provider: optionalKey(loginProvider).describe('For a login in the browser, which a gateway has not.'),
  }),
).transform(
  ({ type: _type, login_provider: _login, ...written }): IssuerIntegration => ({
    name: written.name,
    identityProvider: identityProvider(written),
  }),
);

type Integration = ChannelIntegration | IssuerIntegration;

export interface ChannelAccount {
  name: string;
  integrations: Integration[];
}

/** What their manifests add stands where it is named: alerts hold channels, `sluice/identity-provider` knows issuers. */
function accountKind<I extends z.ZodType<Integration>>(
  name: string,
  member: I,
  more: z.ZodRawShape = {},
): ManifestKind<ChannelAccount> {
  const type = `provider-account/${name}`;
  const schema = z.object({
    type: z.literal(type),
    name: accountName,
    ownedBy,
    integrations: keyWithDefault(z.array(member), []).describe('The channels of the account.'),
    ...more,
  });
  return manifestKind<ChannelAccount>({
    type,
    schema,
    // Another kind of account may have the same name, since what refers to one says the kind.
    uniqueKeys: [
      { path: 'name', what: 'this account name', over: type },
      { path: 'integrations[].name', what: 'this integration name' },
    ],
    check(written, { report }) {
      for (const { manifest, value } of written) {
        for (const [index, integration] of value.integrations.entries()) {
          if (!('channel' in integration) || !integration.restricted) continue;
          const message = 'who may use a channel is not told apart here: whoever writes manifests may name it';
          warn(report, manifest, ['integrations', index, 'authorized_subjects'], { message });
        }
      }
    },
  });
}

export const customAccount = accountKind(
  'custom',
  z.discriminatedUnion('type', [
    email,
    jwtAuth,
    notYet('integration/secret-store/custom/generic'),
    notYet('integration/blob-storage/custom'),
  ]),
  { auth_data: optionalKey(basicAuth).describe('Has no effect.') },
);

export const slackAccount = accountKind('slack', z.discriminatedUnion('type', [slackWebhook, slackBot]));
export const pagerdutyAccount = accountKind('pagerduty', z.discriminatedUnion('type', [pagerduty]));
export const msTeamsAccount = accountKind('ms-teams', z.discriminatedUnion('type', [msTeams]));
export const webhookAccount = accountKind(
  'webhook',
  z.discriminatedUnion('type', [webhook, notYet('integration/gateway-request-logger/webhook')]),
);

export const CHANNEL_ACCOUNTS = [
  customAccount,
  slackAccount,
  pagerdutyAccount,
  msTeamsAccount,
  webhookAccount,
] as const;
