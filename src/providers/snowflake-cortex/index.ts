import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { privateKeyText } from '../../config/private-key.ts';
import { baseUrl, optionalKey, secretText, text } from '../../config/scalar-schema.ts';
import { anthropicHostedWire } from '../anthropic-messages/wire.ts';
import { type AccountSetup, anyModelAccount, type ListedModel, listedAccount, targetOf } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { oauthToken } from '../base/oauth-token.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import type { Credential, TokenSource, Tokens } from '../credential.ts';
import { chatRules } from '../openai-compatible/chat-rules.ts';
import { abilitiesOf } from '../openai-compatible/host-account.ts';
import { rowOf } from '../openai-compatible/hosts.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';
import { keyPairToken } from './key-pair-token.ts';

const type = 'provider-account/snowflake-cortex';
/** What it refuses of OpenAI's parameters. */
const ROW = rowOf('snowflake-cortex');

const accountError = 'the identifier of an account, as `myorg-myaccount`, without the address around it';

const schema = accountBase(type)
  .extend({
    auth_data: z.discriminatedUnion('type', [
      z.object({ type: z.literal('pat-token'), pat_token: secretText().describe('A programmatic access token.') }),
      // Ours, not of the reference manifests, as all below.
      z.object({
        type: z.literal('key-pair'),
        user: text(256).describe('The user whose public key Snowflake has.'),
        private_key: privateKeyText().describe('The private key of that pair, in PEM form.'),
      }),
      z.object({
        type: z.literal('oauth'),
        client_id: text(256).describe('Of the security integration, or of the application at your identity provider.'),
        client_secret: secretText().describe('Of that client.'),
        token_url: optionalKey(baseUrl()).describe("Where tokens are given; absent: at Snowflake's own."),
        refresh_token: optionalKey(secretText()).describe('Absent: the token is of the client itself.'),
        scope: optionalKey(text(1024)).describe('As `session:role:ANALYST`.'),
      }),
    ]),
    account_identifier: z
      .string({ error: accountError })
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/, { error: accountError })
      .refine((value) => !value.includes('snowflakecomputing'), { error: accountError })
      .describe('The bare identifier of the account.'),
    base_url: optionalKey(baseUrl()).describe('In place of the address of the account, as of a private link.'),
    integrations: integrationList(integrationBase('integration/model/snowflake-cortex')),
  })
  .superRefine(({ auth_data: auth }, context) => {
    if (auth.type !== 'oauth' || auth.refresh_token !== undefined || auth.token_url !== undefined) return;
    const message = 'the address where tokens are given: without `refresh_token` Snowflake itself gives none';
    context.addIssue({ code: 'custom', path: ['auth_data', 'token_url'], message });
  });

type SnowflakeAccount = z.output<typeof schema>;

/** https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [openAiChatWire, anthropicHostedWire],
  tokenSources(checked) {
    const account = schema.parse(checked);
    const { auth_data: auth } = account;
    return auth.type === 'pat-token' ? [] : [tokenSource(account, auth)];
  },
  open(checked, tokens) {
    const account = schema.parse(checked);
    const setup: AccountSetup = {
      manifest: account,
      catalogueId: undefined,
      abilities: abilitiesOf(ROW),
      rulesOf: (modelId) => chatRules(ROW, modelId),
    };
    const at = {
      account,
      credential: credentialOf(account, tokens),
      headers: ['x-snowflake-authorization-token-type', TOKEN_TYPES[account.auth_data.type]],
    };
    const url = `${addressOf(account)}/api/v2/cortex`;
    const chat = mountAt({ ...at, wire: openAiChatWire, url: `${url}/v1` });
    const messages = mountAt({
      ...at,
      wire: anthropicHostedWire,
      url,
      headers: [...at.headers, 'anthropic-version', '2023-06-01'],
    });
    const ofAll = mountsOf([chat]);
    // Anthropic's form is served for Claude alone.
    const ofClaude = mountsOf([chat, messages]);
    const place = (model: ListedModel) => targetOf(setup, model.modelId.includes('claude') ? ofClaude : ofAll, model);
    if (account.integrations.length === 0) {
      return anyModelAccount(setup, (name) => place({ name, modelId: name, modelTypes: [] }));
    }
    return listedAccount(setup, listedModels(account.integrations).map(place));
  },
};

const TOKEN_TYPES = { 'pat-token': 'PROGRAMMATIC_ACCESS_TOKEN', 'key-pair': 'KEYPAIR_JWT', oauth: 'OAUTH' } as const;

/** Host names take no underscore. */
function addressOf({ account_identifier: id, base_url: url }: SnowflakeAccount): string {
  return url ?? `https://${id.toLowerCase().replaceAll('_', '-')}.snowflakecomputing.com`;
}

function credentialOf(account: SnowflakeAccount, tokens: Tokens): Credential {
  const { auth_data: auth, name } = account;
  if (auth.type === 'pat-token') return headerCredential(['authorization', `Bearer ${auth.pat_token}`]);
  const place = { tokens, id: sourceId(account), account: name };
  return tokenCredential(place, ({ token }) => ['authorization', `Bearer ${token}`]);
}

function sourceId({ name, auth_data, account_identifier }: SnowflakeAccount): string {
  return tokenSourceId(name, ['snowflake', account_identifier, JSON.stringify(auth_data)]);
}

function tokenSource(
  account: SnowflakeAccount,
  auth: Exclude<SnowflakeAccount['auth_data'], { type: 'pat-token' }>,
): TokenSource {
  const { name, proxy, account_identifier: identifier } = account;
  return {
    id: sourceId(account),
    account: name,
    async fetch(signal, http) {
      if (auth.type === 'key-pair') return keyPairToken(identifier, auth.user, auth.private_key);
      const { client_id, client_secret, refresh_token, scope } = auth;
      const basic = Buffer.from(`${client_id}:${client_secret}`).toString('base64');
      return oauthToken(http, {
        // https://docs.snowflake.com/en/user-guide/oauth-custom#token-endpoint
        url: auth.token_url ?? `${addressOf(account)}/oauth/token-request`,
        form: {
          grant_type: refresh_token === undefined ? 'client_credentials' : 'refresh_token',
          refresh_token,
          scope,
        },
        headers: ['authorization', `Basic ${basic}`],
        proxy,
        signal,
        secrets: [client_secret, basic, ...(refresh_token === undefined ? [] : [refresh_token])],
      });
    },
  };
}
