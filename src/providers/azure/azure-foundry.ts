import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { optionalKey, text } from '../../config/scalar-schema.ts';
import { anthropicHostedWire } from '../anthropic-messages/wire.ts';
import { type AccountSetup, listedAccount, targetOf } from '../base/account.ts';
import { listedModel } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { chatRules, OPENAI_MODELS, TRANSLATIONS_ALONE } from '../openai-compatible/chat-rules.ts';
import { hostedOcrWire } from '../openai-compatible/mistral-ocr.ts';
import { openAiResponsesWire } from '../openai-compatible/wire.ts';
import type { Abilities, ProviderPlug } from '../provider.ts';
import { azureAuth } from './auth.ts';
import { deployedModel, TELLING_NAME } from './deployment.ts';
import { AZURE_WIRES, type AzureForm, azureEndpoint, azurePlaces, azureProbe, readEndpoint } from './endpoint.ts';
import { azureCredential, azureTokenSources } from './entra-token.ts';

const type = 'provider-account/azure-foundry';

const versionError = 'a version, as `2024-05-01-preview`';

const integration = integrationBase('integration/model/azure-foundry', [
  'integration/model/azure/ai-foundry',
  'integration/model/azure/ai-inference',
]).extend({
  model_id: text(512).describe('The name of the deployment.'),
  auth_data: azureAuth.describe('The key of the resource, or an identity of Entra ID.'),
  azure_endpoint: azureEndpoint(),
  api_version: optionalKey(
    z.string({ error: versionError }).regex(/^[A-Za-z0-9-]{1,40}$/, { error: versionError }),
  ).describe('Of the paths that have versions: `/models` and `/openai/deployments`.'),
  // Ours, not of the reference manifests: as those of azure-openai have it.
  foundation_model: optionalKey(text(256)).describe(
    'What is deployed, for its list price and its form; absent: as `model_id` or else `name` tells.',
  ),
});

const schema = accountBase(type).extend({ integrations: integrationList(integration) });

type Account = z.output<typeof schema>;
type Model = Account['integrations'][number];

/** Deployments of all publishers in resources of Foundry, each with its own address and credential. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [...AZURE_WIRES, anthropicHostedWire],
  tellingNames: TELLING_NAME,
  probe: azureProbe,
  tokenSources(checked) {
    const account = schema.parse(checked);
    const sources = account.integrations.flatMap((model) => azureTokenSources(placed(model, account).access));
    return [...new Map(sources.map((source) => [source.id, source])).values()];
  },
  open(checked, tokens) {
    const account = schema.parse(checked);
    const setup: AccountSetup = { manifest: account, catalogueId: 'azure', abilities: ABILITIES.v1 };
    const listed = account.integrations.map((model) => {
      const { endpoint, form, access } = placed(model, account);
      const credential = azureCredential(access, form === 'claude' ? 'x-api-key' : 'api-key', tokens);
      const places = azurePlaces(endpoint, form, model.api_version ?? endpoint.apiVersion);
      const { foundation_model: pricedAs } = model;
      const common = listedModel(model, model.model_id);
      const knownAs = deployedModel(model);
      const isOpenAi = OPENAI.test(knownAs ?? model.model_id);
      const developerRole = form === 'v1' ? isOpenAi : ABILITIES[form].developerRole;
      const abilities = { ...ABILITIES[form], developerRole, ...common.abilities };
      // Models of other publishers are asked for a response by a chat.
      const served = places.filter(({ wire }) => isOpenAi || wire !== openAiResponsesWire);
      const ofMistral = azureCredential(access, 'bearer', tokens);
      const mounts = mountsOf(
        served.map((at) => mountAt({ ...at, credential: at.wire === hostedOcrWire ? ofMistral : credential, account })),
      );
      const rulesOf = (modelId: string) => chatRules(quirksOf(form, modelId), modelId);
      return targetOf({ ...setup, rulesOf }, mounts, { ...common, abilities, knownAs, ...(pricedAs && { pricedAs }) });
    });
    return listedAccount(setup, listed);
  },
};

/** The address says it, or the model's name does: Claude has a path of its own, all others share OpenAI's. */
function placed(model: Model, { name, proxy }: Account) {
  const endpoint = readEndpoint(model.azure_endpoint);
  const isClaude = /claude/i.test(deployedModel(model) ?? model.model_id);
  const form: AzureForm = endpoint.form ?? (isClaude ? 'claude' : 'v1');
  const service = form === 'claude' ? 'foundry' : 'cognitive-services';
  const access = { account: name, auth: model.auth_data, host: endpoint.host, service, proxy } as const;
  return { endpoint, form, access };
}

/** Other publishers' models: the older address refuses the newer name of `max_tokens`. */
const OTHER_MODELS = { refusedInMessages: [...TRANSLATIONS_ALONE] };
const OLDER_ADDRESS = { ...OTHER_MODELS, renamed: { max_completion_tokens: 'max_tokens' } };

function quirksOf(form: AzureForm, modelId: string) {
  if (OPENAI.test(modelId)) return OPENAI_MODELS;
  return form === 'models' ? OLDER_ADDRESS : OTHER_MODELS;
}

/** Whose role `developer` it is; templates of other publishers' models know no such role. */
const OPENAI = /^(gpt|o\d|chatgpt|codex)/i;

const ABILITIES: Readonly<Record<AzureForm, Abilities>> = {
  v1: { usageInStream: true, developerRole: true },
  deployments: { usageInStream: true, developerRole: true },
  models: { usageInStream: true, developerRole: false },
  host: { usageInStream: true, developerRole: false },
  claude: { usageInStream: false, developerRole: true },
};
