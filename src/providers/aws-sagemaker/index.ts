import { z } from 'zod';
import { KeyRules } from '../../codec/key-rules.ts';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey } from '../../config/scalar-schema.ts';
import { regionalAccount } from '../base/aws-account.ts';
import { awsCredential, awsDomain, awsKeys, awsRegion, awsRole, awsTokenSources } from '../base/aws-credential.ts';
import { mountAt } from '../base/mount.ts';
import type { ChatRules, ProviderPlug } from '../provider.ts';
import { openAiOnSageMakerWire } from './wire.ts';

const type = 'provider-account/aws-sagemaker';

const schema = accountBase(type).extend({
  auth_data: optionalKey(z.discriminatedUnion('type', [awsKeys, awsRole])),
  region: awsRegion().describe('Where its endpoints run, unless an integration says otherwise.'),
  // Ours, not of the reference manifests: for endpoints of a VPC and proxies.
  base_url: optionalKey(baseUrl()).describe(
    'In place of the address of the region; signatures are made for the region.',
  ),
  integrations: integrationList(
    integrationBase('integration/model/sagemaker').extend({
      region: optionalKey(awsRegion()).describe("Where this endpoint runs; absent: in the account's region."),
    }),
  ),
});

/** The endpoint stands in the path. A container knows its model by a name of its own, and refuses another. */
const RULES: ChatRules = { parameters: new KeyRules([{ key: 'model', drop: 'all' }]), messages: undefined };

/** Models are endpoints: `model_id` is the name of one. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [openAiOnSageMakerWire],
  tokenSources: (checked) => awsTokenSources(schema.parse(checked)),
  open(checked, tokens) {
    const manifest = schema.parse(checked);
    return regionalAccount<'endpoint'>({
      manifest,
      catalogueId: undefined,
      // Chat templates of most open models know system, user and assistant only.
      abilities: { usageInStream: true, developerRole: false },
      rulesOf: () => RULES,
      families: ['endpoint'],
      familyOf: () => 'endpoint',
      mountsIn: (region) => [
        mountAt({
          wire: openAiOnSageMakerWire,
          account: manifest,
          url: manifest.base_url ?? `https://runtime.sagemaker.${region}.${awsDomain(region)}`,
          credential: awsCredential(manifest, tokens, { region, service: 'sagemaker' }),
        }),
      ],
    });
  },
};
