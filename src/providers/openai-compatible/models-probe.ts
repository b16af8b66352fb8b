import { listedIds } from '../base/listed-ids.ts';
import type { Probe } from '../provider.ts';

/** https://platform.openai.com/docs/api-reference/models */
export const openAiModels: Probe = {
  path: '/models',
  modelIds: (answer) => listedIds(answer, 'data', 'id'),
  modelPath: (modelId) => `/models/${encodeURIComponent(modelId)}`,
};
