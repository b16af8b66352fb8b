import { z } from 'zod';
import { accountName, basicAuth, integrationName, ownedBy } from '../account-schema.ts';
import {
  type ChannelIntegration,
  email,
  msTeams,
  pagerduty,
  slackBot,
  slackWebhook,
  webhook,
  webhookUrl,
} from '../channels/channel-integrations.ts';
import { warn } from '../documents/manifests.ts';
import type { IdentityProvider } from '../identities/identities.ts';
import { identityProvider, issuerKeys } from '../identities/issuers.ts';
import type { RequestLoggerHook } from '../rules/request-log-rules.ts';
import { keyWithDefault, optionalKey, restricting, secretText, text } from '../scalar-schema.ts';
import { type ManifestKind, manifestKind } from './manifest-kind.ts';

/** The accounts that hold notification channels, and issuers of JWTs. */

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

/** The key of the product is a bearer token whose prefix may be another word. */
const requestLogger = z
  .object({
    type: z.literal('integration/gateway-request-logger/webhook'),
    name: integrationName,
    webhook_url: webhookUrl.describe('Takes each exchange whose bodies are kept, as a JSON document.'),
    auth_data: optionalKey(
      z.discriminatedUnion('type', [
        z.object({
          type: z.literal('webhook-basic'),
          username: secretText(320).describe('HTTP Basic.'),
          password: secretText(4096).describe('Of that user.'),
        }),
        z.object({
          type: z.literal('webhook-bearer'),
          token: secretText(4096).describe('Sent as `authorization: PREFIX TOKEN`.'),
          prefix: keyWithDefault(text(64), 'Bearer').describe('The word before the token.'),
        }),
      ]),
    ).describe('How the gateway shows that it is the gateway.'),
    authorized_subjects: optionalKey(z.array(text(320))).describe('Has no effect.'),
  })
  .transform(({ name, webhook_url: url, auth_data: auth }): RequestLoggerIntegration => {
    const basic = auth?.type === 'webhook-basic' && Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    const authorization = auth?.type === 'webhook-bearer' ? `${auth.prefix} ${auth.token}` : basic && `Basic ${basic}`;
    return { name, requestLogger: { url, ...(authorization && { authorization }) } };
  });

interface RequestLoggerIntegration {
  name: string;
  requestLogger: Omit<RequestLoggerHook, 'name'>;
}

type Integration = ChannelIntegration | IssuerIntegration | RequestLoggerIntegration;

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
export const webhookAccount: ManifestKind<ChannelAccount, { requestLoggers: RequestLoggerHook[] }> = {
  ...accountKind('webhook', z.discriminatedUnion('type', [webhook, requestLogger])),
  part: (written) => ({
    requestLoggers: written.flatMap(({ value: { name: account, integrations } }) =>
      integrations.flatMap((each) =>
        'requestLogger' in each ? [{ name: `${account}/${each.name}`, ...each.requestLogger }] : [],
      ),
    ),
  }),
};

export const CHANNEL_ACCOUNTS = [
  customAccount,
  slackAccount,
  pagerdutyAccount,
  msTeamsAccount,
  webhookAccount,
] as const;
