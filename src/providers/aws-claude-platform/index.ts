import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey, text } from '../../config/scalar-schema.ts';
import { anthropicCountTokensWire } from '../anthropic-messages/count-tokens-wire.ts';
import { anthropicModels } from '../anthropic-messages/models-probe.ts';
import { anthropicWire } from '../anthropic-messages/wire.ts';
import { openAccount } from '../base/account.ts';
import { awsAuth, awsCredential, awsRegion, awsTokenSources } from '../base/aws-credential.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import type { ProviderPlug } from '../provider.ts';

const type = 'provider-account/aws-claude-platform';
const SERVICE = 'aws-external-anthropic';
const WIRES = [anthropicWire, anthropicCountTokensWire];

const schema = accountBase(type).extend({
  auth_data: optionalKey(awsAuth),
  region: awsRegion().describe('Whose address is asked.'),
  workspace_id: text(256).describe('The workspace of Anthropic that is asked, as `wrkspc_…`.'),
  // Ours, not of the reference manifests: for endpoints of a VPC and proxies.
  base_url: optionalKey(baseUrl()).describe(
    'In place of the address of the region; signatures are made for the region.',
  ),
  integrations: integrationList(integrationBase('integration/model/aws-claude-platform')),
});

/**
 * Anthropic's own API behind an account of AWS: its form and its model ids, authorised and billed by AWS.
 * https://docs.aws.amazon.com/claude-platform/latest/userguide/making-requests.html
 */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: WIRES,
  probe: anthropicModels,
  tokenSources: (checked) => awsTokenSources(schema.parse(checked)),
  open(checked, tokens) {
    const manifest = schema.parse(checked);
    const { region, workspace_id: workspace, base_url: written } = manifest;
    // The wire's path begins with /v1: an address that was written with it means the same.
    const url = written?.replace(/\/v1$/, '') ?? `https://${SERVICE}.${region}.api.aws`;
    const credential = awsCredential(manifest, tokens, { region, service: SERVICE });
    const headers = ['anthropic-version', '2023-06-01', 'anthropic-workspace-id', workspace];
    return openAccount({
      manifest,
      catalogueId: 'anthropic',
      exampleModel: 'claude-haiku-4-5',
      abilities: { usageInStream: false, developerRole: true },
      mounts: WIRES.map((wire) => mountAt({ wire, account: manifest, url, credential, headers })),
      listed: listedModels(manifest.integrations),
    });
  },
};
