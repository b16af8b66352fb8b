import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { optionalKey, text } from '../../config/scalar-schema.ts';
import { type AccountSetup, anyModelAccount, type ListedModel, listedAccount, targetOf } from '../base/account.ts';
import { listedModel } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiBatches } from '../base/openai-batches.ts';
import { chatRules, OPENAI_MODELS } from '../openai-compatible/chat-rules.ts';
import type { Mounts, ProviderPlug } from '../provider.ts';
import { azureAuth } from './auth.ts';
import { deployedModel, TELLING_NAME } from './deployment.ts';
import { AZURE_WIRES, azureEndpoint, azurePlaces, azureProbe, readEndpoint } from './endpoint.ts';
import { azureCredential, azureTokenSources } from './entra-token.ts';
import { azureGuards } from './guards.ts';

const type = 'provider-account/azure-openai';

const versionError = '`v1`, `preview`, or the version of a day, as `2024-10-21`';
const apiVersion = optionalKey(
  z.string({ error: versionError }).regex(/^[A-Za-z0-9-]{1,40}$/, { error: versionError }),
);

const integration = integrationBase('integration/model/azure-openai', ['integration/model/azure']).extend({
  model_id: text(512).describe('The name of the deployment.'),
  api_version: apiVersion.describe(
    'Of a day: the path of the deployment is asked with it. `v1`, `preview` or absent: the path `/openai/v1`.',
  ),
  foundation_model: optionalKey(text(256)).describe(
    'What is deployed, for its list price and for what it refuses; absent: as `model_id` or else `name` tells.',
  ),
  deployment_type: optionalKey(z.enum(['standard', 'datazone_us', 'datazone_eu', 'global', 'data-zone'])).describe(
    'Says nothing here: list prices are those of global deployments.',
  ),
  region: optionalKey(text(64)).describe('Says nothing here.'),
});

const schema = accountBase(type).extend({
  auth_data: azureAuth.describe('The key of the resource, or an identity of Entra ID.'),
  azure_endpoint: azureEndpoint(),
  integrations: integrationList(integration),
});

type Account = z.output<typeof schema>;

/** Deployments of OpenAI's models in a resource of Azure. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: AZURE_WIRES,
  probe: azureProbe,
  guards: azureGuards,
  tellingNames: TELLING_NAME,
  tokenSources: (checked) => azureTokenSources(accessOf(schema.parse(checked))),
  open(checked, tokens) {
    const account = schema.parse(checked);
    const endpoint = readEndpoint(account.azure_endpoint);
    const credential = azureCredential(accessOf(account), 'api-key', tokens);
    const setup: AccountSetup = {
      manifest: account,
      catalogueId: 'azure',
      abilities: { usageInStream: true, developerRole: true },
      rulesOf: (modelId) => chatRules(OPENAI_MODELS, modelId),
      batches: openAiBatches,
    };
    const known = new Map<string, Mounts>();
    const targetAt = (model: ListedModel, written: string | undefined) => {
      const version = written ?? endpoint.apiVersion;
      const isDated = version !== undefined && /^\d{4}-/.test(version) && endpoint.form !== 'v1';
      const form = isDated || (endpoint.form === 'deployments' && version === undefined) ? 'deployments' : 'v1';
      const key = `${form} ${version}`;
      const mounts =
        known.get(key) ??
        mountsOf(azurePlaces(endpoint, form, version).map((at) => mountAt({ ...at, credential, account })));
      known.set(key, mounts);
      const developerRole = !isDated || version >= KNOWS_DEVELOPER;
      return targetOf(setup, mounts, { ...model, abilities: { developerRole, ...model.abilities } });
    };
    if (account.integrations.length === 0) {
      // What the library knows of Azure is no list of deployments.
      const unlisted = { ...setup, catalogueId: undefined };
      return anyModelAccount(unlisted, (name) => targetAt({ name, modelId: name, modelTypes: [] }, undefined));
    }
    const listed = account.integrations.map((each) => {
      const { foundation_model: pricedAs } = each;
      const model = {
        ...listedModel(each, each.model_id),
        knownAs: deployedModel(each),
        ...(pricedAs && { pricedAs }),
      };
      return targetAt(model, each.api_version);
    });
    return listedAccount(setup, listed);
  },
};

/** Older versions refuse the role. */
const KNOWS_DEVELOPER = '2024-12-01';

function accessOf({ name, auth_data: auth, azure_endpoint: address, proxy }: Account) {
  return { account: name, auth, host: readEndpoint(address).host, service: 'cognitive-services', proxy } as const;
}
