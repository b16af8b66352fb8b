import { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, secretText, text } from '../../config/scalar-schema.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedIds } from '../base/listed-ids.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { oauthToken } from '../base/oauth-token.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import type { Credential, Tokens } from '../credential.ts';
import { chatRules } from '../openai-compatible/chat-rules.ts';
import { abilitiesOf } from '../openai-compatible/host-account.ts';
import { rowOf } from '../openai-compatible/hosts.ts';
import { openAiChatWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';

const type = 'provider-account/databricks';
/** What it refuses of OpenAI's parameters. */
const ROW = rowOf('databricks');

const schema = accountBase(type).extend({
  auth_data: z.discriminatedUnion('type', [
    apiKeyAuth,
    z.object({
      type: z.literal('service-principal'),
      client_id: text(256).describe('Of the service principal.'),
      oauth_secret: secretText().describe('An OAuth secret of the service principal.'),
    }),
  ]),
  base_url: baseUrl().describe('The address of the workspace, as `https://dbc-a1b2345c-d6e7.cloud.databricks.com`.'),
  integrations: integrationList(integrationBase('integration/model/databricks')),
});

type Account = z.output<typeof schema>;

const WIRES = [openAiChatWire, openAiEmbeddingsWire];
const ENDPOINTS = '/serving-endpoints';
const CATALOG = '/ai-gateway/mlflow/v1';

/** Serving endpoints of a workspace. https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: WIRES,
  // https://docs.databricks.com/api/workspace/servingendpoints/list
  probe: {
    path: '/api/2.0/serving-endpoints',
    modelIds: (answer) => listedIds(answer, 'endpoints', 'name'),
    modelPath: (modelId) => `/api/2.0/serving-endpoints/${encodeURIComponent(modelId)}`,
  },
  tokenSources(checked) {
    const account = schema.parse(checked);
    const { auth_data: auth, name, proxy } = account;
    if (auth.type === 'api-key') return [];
    const basic = Buffer.from(`${auth.client_id}:${auth.oauth_secret}`).toString('base64');
    return [
      {
        id: sourceId(account),
        account: name,
        // https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m
        fetch: (signal, http) =>
          oauthToken(http, {
            url: `${workspaceOf(account)}/oidc/v1/token`,
            form: { grant_type: 'client_credentials', scope: 'all-apis' },
            headers: ['authorization', `Basic ${basic}`],
            proxy,
            signal,
            secrets: [auth.oauth_secret, basic],
          }),
      },
    ];
  },
  open(checked, tokens) {
    const account = schema.parse(checked);
    const workspace = workspaceOf(account);
    const { pathname } = new URL(workspace);
    const prefix = pathname === '/' ? '' : pathname;
    const credential = credentialOf(account, tokens);
    return openAccount({
      manifest: account,
      catalogueId: undefined,
      abilities: abilitiesOf(ROW),
      rulesOf: (modelId) => chatRules(ROW, modelId),
      mounts: WIRES.map((wire) =>
        mountAt({
          wire,
          account,
          url: workspace,
          credential,
          // Models of Unity Catalog have a dot in their name, endpoints have none.
          path: (target, request) =>
            prefix + (target.modelId.includes('.') ? CATALOG : ENDPOINTS) + wire.path(target, request),
        }),
      ),
      listed: listedModels(account.integrations),
    });
  },
};

/** The older manifests, and examples, write the path behind it too. */
function workspaceOf({ base_url: url }: Account): string {
  return url.replace(/\/(serving-endpoints|ai-gateway\/mlflow\/v1)$/, '');
}

function credentialOf(account: Account, tokens: Tokens): Credential {
  const { auth_data: auth, name } = account;
  if (auth.type === 'api-key') return headerCredential(['authorization', `Bearer ${auth.api_key}`]);
  const place = { tokens, id: sourceId(account), account: name };
  return tokenCredential(place, ({ token }) => ['authorization', `Bearer ${token}`]);
}

function sourceId({ name, auth_data, base_url }: Account): string {
  return tokenSourceId(name, ['databricks', base_url, JSON.stringify(auth_data)]);
}
