import { listedIds } from '../base/listed-ids.ts';
import type { Probe } from '../provider.ts';

/** https://platform.claude.com/docs/en/api/models-list; 1000 is the most that a page holds. */
export const anthropicModels: Probe = {
  path: '/v1/models?limit=1000',
  modelIds: (answer) => listedIds(answer, 'data', 'id'),
  modelPath: (modelId) => `/v1/models/${encodeURIComponent(modelId)}`,
};
