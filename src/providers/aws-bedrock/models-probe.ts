import { listedIds } from '../base/listed-ids.ts';
import type { Probe } from '../provider.ts';

/** Models that are asked for through a profile: `us.`, `eu.`, `apac.`, `global.` before the vendor's name. */
const PROFILE = /^[a-z-]+\.[a-z0-9-]+\.[a-z]/;

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html, of the control plane. */
export const bedrockModels: Probe = {
  base: (mounted) => mounted.replace(/\/\/bedrock-runtime(-fips)?\./, '//bedrock$1.'),
  path: '/foundation-models',
  modelIds: (answer) => listedIds(answer, 'modelSummaries', 'modelId'),
  modelPath: (modelId) => `/${collectionOf(modelId)}/${encodeURIComponent(modelId)}`,
  // Most policies let an account invoke models and not list them.
  mayNotList: (words) => /not authorized to perform: bedrock:/.test(words),
};

function collectionOf(modelId: string): string {
  if (modelId.includes(':provisioned-model/')) return 'provisioned-model-throughput';
  if (modelId.includes(':imported-model/')) return 'imported-models';
  if (modelId.includes(':custom-model-deployment/')) return 'model-customization/custom-model-deployments';
  if (modelId.includes('inference-profile/') || PROFILE.test(modelId)) return 'inference-profiles';
  return 'foundation-models';
}
