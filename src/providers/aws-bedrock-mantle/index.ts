import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey } from '../../config/scalar-schema.ts';
import { anthropicCountTokensWire } from '../anthropic-messages/count-tokens-wire.ts';
import { anthropicWire } from '../anthropic-messages/wire.ts';
import { regionalAccount } from '../base/aws-account.ts';
import { awsAuth, awsCredential, awsRegion, awsTokenSources } from '../base/aws-credential.ts';
import { mountAt } from '../base/mount.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import { openAiChatWire, openAiResponsesWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug, Wire } from '../provider.ts';

const type = 'provider-account/aws-bedrock-mantle';

const schema = accountBase(type).extend({
  auth_data: optionalKey(awsAuth),
  region: awsRegion().describe('Where its models run, unless an integration says otherwise.'),
  // Ours, not of the reference manifests: for endpoints of a VPC and proxies.
  base_url: optionalKey(baseUrl()).describe(
    'In place of the address of the region; signatures are made for the region.',
  ),
  integrations: integrationList(
    integrationBase('integration/model/bedrock-mantle').extend({
      region: optionalKey(awsRegion()).describe("Where this model runs; absent: in the account's region."),
    }),
  ),
});

/**
 * Each model is served in one form, below one path; asked below another it is refused.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
 */
const FAMILIES = {
  open: { wires: [openAiChatWire, openAiResponsesWire], path: '/v1', headers: [] },
  frontier: { wires: [openAiChatWire, openAiResponsesWire], path: '/openai/v1', headers: [] },
  claude: {
    wires: [anthropicWire, anthropicCountTokensWire],
    path: '/anthropic',
    headers: ['anthropic-version', '2023-06-01'],
  },
} as const satisfies Record<string, { wires: readonly Wire[]; path: string; headers: readonly string[] }>;

type Family = keyof typeof FAMILIES;

function familyOf(modelId: string): Family {
  if (modelId.includes('claude')) return 'claude';
  return /^(openai\.gpt-\d|xai\.|google\.gemma-4)/.test(modelId) ? 'frontier' : 'open';
}

export const plug: ProviderPlug = {
  type,
  schema,
  wires: [openAiChatWire, openAiResponsesWire, anthropicWire, anthropicCountTokensWire],
  probe: { ...openAiModels, base: (mounted) => mounted.replace(/\/(v1|openai\/v1|anthropic)$/, '/v1') },
  tokenSources: (checked) => awsTokenSources(schema.parse(checked)),
  open(checked, tokens) {
    const manifest = schema.parse(checked);
    return regionalAccount<Family>({
      manifest,
      catalogueId: 'aws',
      modelIds: /^[a-z][a-z0-9-]*\.[a-z]/,
      exampleModel: 'openai.gpt-oss-20b',
      abilities: { usageInStream: true, developerRole: true },
      families: ['open', 'frontier', 'claude'],
      familyOf,
      mountsIn: (region, family) => {
        const { wires, path, headers } = FAMILIES[family];
        return wires.map((wire) =>
          mountAt({
            wire,
            account: manifest,
            url: `${manifest.base_url ?? `https://bedrock-mantle.${region}.api.aws`}${path}`,
            credential: awsCredential(manifest, tokens, { region, service: 'bedrock-mantle' }),
            headers,
          }),
        );
      },
    });
  },
};
