import type { ModelType } from '../../inference/operation.ts';
import type { Abilities } from '../provider.ts';
import type { ListedModel } from './account.ts';

/** What integrations of all kinds have in common. */
export interface WrittenModel {
  name: string;
  model_types: ModelType[];
  cost?: unknown;
  abilities?: { stream_usage?: boolean | undefined; developer_role?: boolean | undefined } | undefined;
}

/** The usual `integrations` of a manifest, in our words. */
export function listedModels(integrations: readonly (WrittenModel & { model_id: string })[]): ListedModel[] {
  return integrations.map((integration) => listedModel(integration, integration.model_id));
}

/** One of them, where its kind calls the provider's own id otherwise. */
export function listedModel({ name, model_types, cost, abilities }: WrittenModel, modelId: string): ListedModel {
  return { name, modelId, modelTypes: model_types, cost, abilities: abilitiesOf(abilities) };
}

function abilitiesOf(written: WrittenModel['abilities']): Partial<Abilities> {
  const { stream_usage, developer_role } = written ?? {};
  return {
    ...(stream_usage !== undefined && { usageInStream: stream_usage }),
    ...(developer_role !== undefined && { developerRole: developer_role }),
  };
}
