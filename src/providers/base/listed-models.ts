import type { ModelType } from '../../inference/operation.ts';
import type { ListedModel } from './account.ts';

interface Integration {
  name: string;
  model_id: string;
  model_types: ModelType[];
  cost?: unknown;
}

/** The usual `integrations` of a manifest, in our words. */
export function listedModels(integrations: readonly Integration[]): ListedModel[] {
  return integrations.map((integration) => ({
    name: integration.name,
    modelId: integration.model_id,
    modelTypes: integration.model_types,
    cost: integration.cost,
  }));
}
