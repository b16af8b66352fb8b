import type { AccountManifest } from '../../config/configuration.ts';
import type { ListTerms } from '../../inference/served-as.ts';
import type { Abilities, Connection, ModelType, PriceSource, ProviderAccount, Target, Wire } from '../provider.ts';

/** A model as any manifest lists it; what a vendor calls its own id is put here by its plug. */
export interface ListedModel {
  name: string;
  modelId: string;
  modelTypes: readonly ModelType[];
  cost?: unknown;
}

/** Where and how a model is reached. */
export interface Reach {
  connection: Connection;
  basePath: string;
  headers: readonly string[];
}

export interface AccountSetup {
  manifest: Pick<AccountManifest, 'type' | 'name'> & { discount_percent?: number };
  catalogueId: string | undefined;
  /** Of the provider's list prices. */
  terms?: ListTerms;
  exampleModel?: string;
  wire: Wire;
  abilities: Abilities;
  /** For all models of the account. */
  reach: Reach;
  listed: readonly ListedModel[];
}

/** One address for all models; lists its models, or passes on any id. */
export function openAccount(setup: AccountSetup): ProviderAccount {
  const listed = setup.listed.map((model) => targetOf(setup, setup.reach, model));
  if (listed.length > 0) return listedAccount(setup, listed);
  return {
    ...identity(setup),
    connections: [setup.reach.connection],
    listed,
    target: (model) => targetOf(setup, setup.reach, { name: model, modelId: model, modelTypes: [] }),
  };
}

/** An account that has the models it lists and no other. */
export function listedAccount(
  setup: Omit<AccountSetup, 'reach' | 'listed'>,
  listed: readonly Target[],
): ProviderAccount {
  const prefix = setup.manifest.name.length + 1;
  const byName = new Map(listed.map((target) => [target.id.slice(prefix), target]));
  const connections = listed.map((target) => target.connection);
  return { ...identity(setup), connections, listed, target: (model) => byName.get(model) };
}

export function targetOf(setup: Omit<AccountSetup, 'reach' | 'listed'>, reach: Reach, model: ListedModel): Target {
  const { manifest, catalogueId } = setup;
  const price: PriceSource = {
    catalogueId,
    modelId: model.modelId,
    cost: model.cost,
    discountPercent: manifest.discount_percent,
    terms: setup.terms,
  };
  return {
    id: `${manifest.name}/${model.name}`,
    account: manifest.name,
    provider: kind(manifest.type),
    modelId: model.modelId,
    modelTypes: model.modelTypes.length > 0 ? model.modelTypes : undefined,
    connection: reach.connection,
    basePath: reach.basePath,
    headers: reach.headers,
    abilities: setup.abilities,
    wire: setup.wire,
    price,
  };
}

function identity(setup: Omit<AccountSetup, 'reach' | 'listed'>) {
  const { manifest, catalogueId, exampleModel } = setup;
  return { name: manifest.name, type: manifest.type, catalogueId, exampleModel };
}

function kind(type: string): string {
  return type.slice(type.indexOf('/') + 1);
}
