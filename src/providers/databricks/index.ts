import { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, secretText, text } from '../../config/scalar-schema.ts';
import { listedModels } from '../base/listed-models.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import { openHostAccount } from '../openai-compatible/host-account.ts';
import { rowOf } from '../openai-compatible/hosts.ts';
import { openAiChatWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug, TokenSource } from '../provider.ts';
import { fetchToken } from './fetch-token.ts';

const type = 'provider-account/databricks';

const servicePrincipal = z.object({
  type: z.literal('service-principal'),
  client_id: text(512).describe('Of the service principal.'),
  oauth_secret: secretText().describe('Its OAuth secret.'),
});

const schema = accountBase(type).extend({
  auth_data: z.discriminatedUnion('type', [apiKeyAuth, servicePrincipal]),
  base_url: baseUrl().describe('Of the workspace, or of its serving endpoints.'),
  integrations: integrationList(integrationBase('integration/model/databricks')),
});

type Manifest = z.output<typeof schema>;

/** Model serving: https://docs.databricks.com/aws/en/machine-learning/model-serving/query-chat-models */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [openAiChatWire, openAiEmbeddingsWire],
  tokenSources(checked) {
    const manifest = schema.parse(checked);
    const { auth_data: auth, name, base_url } = manifest;
    if (auth.type === 'api-key') return [];
    const id = sourceId(manifest);
    const source: TokenSource = {
      id,
      account: name,
      fetch: (signal) => fetchToken(new URL(base_url).origin, auth.client_id, auth.oauth_secret, signal),
    };
    return [source];
  },
  open(checked, tokens) {
    const manifest = schema.parse(checked);
    const { auth_data: auth, name } = manifest;
    const place = { tokens, id: sourceId(manifest), account: name };
    return openHostAccount({
      manifest,
      row: rowOf('databricks'),
      key: auth.type === 'api-key' ? auth.api_key : undefined,
      credential:
        auth.type === 'service-principal'
          ? tokenCredential(place, ({ token = '' }) => ['authorization', `Bearer ${token}`])
          : undefined,
      baseUrl: servingEndpoints(manifest.base_url),
      listed: listedModels(manifest.integrations),
    });
  },
};

function sourceId({ name, base_url, auth_data: auth }: Manifest): string {
  return tokenSourceId(name, auth.type === 'api-key' ? [base_url] : [base_url, auth.client_id, auth.oauth_secret]);
}

/** People write the workspace, or where its endpoints are. */
function servingEndpoints(url: string): string {
  return new URL(url).pathname === '/' ? `${url}/serving-endpoints` : url;
}
