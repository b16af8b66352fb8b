import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey } from '../../config/scalar-schema.ts';
import { regionalAccount } from '../base/aws-account.ts';
import { awsAuth, awsCredential, awsDomain, awsRegion, awsTokenSources } from '../base/aws-credential.ts';
import { mountAt } from '../base/mount.ts';
import { noBatches } from '../base/openai-batches.ts';
import type { ProviderPlug } from '../provider.ts';
import { bedrockCountTokensWire } from './count-tokens.ts';
import { bedrockEmbeddingsWire } from './embeddings.ts';
import { bedrockGuards } from './guards.ts';
import { bedrockImagesWires } from './images.ts';
import { claudeOnBedrockWire } from './invoke-wire.ts';
import { listTerms } from './list-terms.ts';
import { bedrockModels } from './models-probe.ts';
import { bedrockRerankWire } from './rerank.ts';
import { bedrockConverseWire } from './wire.ts';

const type = 'provider-account/aws-bedrock';

const schema = accountBase(type).extend({
  auth_data: optionalKey(awsAuth),
  region: awsRegion().describe('Where its models run, unless an integration says otherwise.'),
  // Ours, not of the reference manifests: for endpoints of a VPC, FIPS endpoints and proxies.
  base_url: optionalKey(baseUrl()).describe(
    'In place of the address of the region; signatures are made for the region.',
  ),
  integrations: integrationList(
    integrationBase('integration/model/bedrock', ['integration/model/aws']).extend({
      region: optionalKey(awsRegion()).describe("Where this model runs; absent: in the account's region."),
    }),
  ),
});

const account = 'aws-bedrock';
const WIRES = [bedrockConverseWire, bedrockEmbeddingsWire, ...bedrockImagesWires];
const CLAUDE_WIRES = [claudeOnBedrockWire, bedrockCountTokensWire];
/** By the name of a model or of a profile of AWS's; a profile of the account's own does not say what it leads to. */
const CLAUDE = /(^|[./:])anthropic\.claude-/;

export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: {
    variable: 'AWS_BEARER_TOKEN_BEDROCK',
    otherVariables: ['AWS_ACCESS_KEY_ID'],
    account,
    manifest(value, environment = { AWS_BEARER_TOKEN_BEDROCK: value }) {
      const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'us-east-1';
      const apiKey = environment['AWS_BEARER_TOKEN_BEDROCK'];
      if (apiKey) return { type, name: account, region, auth_data: { type: 'api-key', api_key: apiKey } };
      const secret = environment['AWS_SECRET_ACCESS_KEY'];
      if (!secret) return undefined;
      const session_token = environment['AWS_SESSION_TOKEN'] || undefined;
      const keys = { type: 'access-key-based', access_key_id: value, secret_access_key: secret, session_token };
      return { type, name: account, region, auth_data: keys };
    },
  },
  wires: [...WIRES, ...CLAUDE_WIRES, bedrockRerankWire],
  passedAt: ['/bedrock/proxy/{*path}'],
  probe: bedrockModels,
  guards: bedrockGuards,
  tokenSources: (checked) => awsTokenSources(schema.parse(checked)),
  open(checked, tokens) {
    const manifest = schema.parse(checked);
    return regionalAccount<'claude' | 'any'>({
      manifest,
      catalogueId: 'aws',
      terms: listTerms,
      // The price library also knows names of Claude that only Anthropic itself takes.
      modelIds: /^(arn:|([a-z-]+\.)?[a-z][a-z0-9-]*\.[a-z])/,
      // A profile that exists in nearly every region.
      exampleModel: 'global.amazon.nova-2-lite-v1:0',
      // Its streams always carry usage; there is nothing to ask for.
      abilities: { usageInStream: false, developerRole: true },
      batches: noBatches(
        'Bedrock reads and writes batches in S3 with a role of the account, which the gateway does not reach.',
      ),
      families: ['claude', 'any'],
      familyOf: (modelId) => (CLAUDE.test(modelId) ? 'claude' : 'any'),
      mountsIn: (region, family) => {
        const url = manifest.base_url ?? `https://bedrock-runtime.${region}.${awsDomain(region)}`;
        const credential = awsCredential(manifest, tokens, { region, service: 'bedrock' });
        const wires = family === 'claude' ? [...WIRES, ...CLAUDE_WIRES] : WIRES;
        // A host of its own; whoever stands at another address has to serve both.
        const agents = manifest.base_url ?? `https://bedrock-agent-runtime.${region}.${awsDomain(region)}`;
        return [
          ...wires.map((wire) => mountAt({ wire, account: manifest, url, credential })),
          mountAt({ wire: bedrockRerankWire, account: manifest, url: agents, credential }),
        ];
      },
    });
  },
};
