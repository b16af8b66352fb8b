import type { AccountManifest } from '../../config/configuration.ts';
import type { ModelType } from '../../inference/operation.ts';
import type { ListTerms } from '../../inference/served-as.ts';
import type {
  Abilities,
  ChatRules,
  Connection,
  FaultStatuses,
  Mount,
  Mounts,
  PriceSource,
  ProviderAccount,
  Target,
} from '../provider.ts';
import type { ProviderBatches } from '../provider-batches.ts';
import { mountsOf } from './mount.ts';

/** A model as any manifest lists it; what a vendor calls its own id is put here by its plug. */
export interface ListedModel {
  name: string;
  modelId: string;
  modelTypes: readonly ModelType[];
  cost?: unknown;
  /** Where it differs from the account's others. */
  abilities?: Partial<Abilities>;
  /** What the price library calls it, where `modelId` is a name that the account's owner chose. */
  pricedAs?: string;
  /** Which model it is, where neither that nor `modelId` tells. */
  knownAs?: string | undefined;
}

/** What all models of an account have in common. */
export interface AccountSetup {
  manifest: Pick<AccountManifest, 'type' | 'name'> & { discount_percent?: number };
  catalogueId: string | undefined;
  /** The terms of the provider's list prices. */
  terms?: ListTerms;
  exampleModel?: string;
  modelIds?: RegExp;
  abilities: Abilities;
  /** The provider that answers, where the kind of account does not say it: a host of the table. */
  provider?: string | undefined;
  /** The rules of a model, by the name that it is known by or the provider's own id; called once for each. */
  rulesOf?(modelId: string): ChatRules | undefined;
  faultStatuses?: FaultStatuses | undefined;
  batches?: ProviderBatches | undefined;
}

export interface OneAddress extends AccountSetup {
  /** The mounts for all models of the account. */
  mounts: readonly Mount[];
  listed: readonly ListedModel[];
}

/** The same addresses for all models; lists its models, or passes on any id. */
export function openAccount(setup: OneAddress): ProviderAccount {
  const mounts = mountsOf(setup.mounts);
  if (setup.listed.length > 0) {
    const targets = setup.listed.map((model) => targetOf(setup, mounts, model));
    return listedAccount(setup, targets);
  }
  return anyModelAccount(setup, (model) => targetOf(setup, mounts, { name: model, modelId: model, modelTypes: [] }));
}

/** An account that passes on any id: every model of it is behind the connections of any other. */
export function anyModelAccount(setup: AccountSetup, target: (model: string) => Target): ProviderAccount {
  const { mounts } = target(setup.exampleModel ?? 'any');
  return { ...identity(setup), connections: connectionsOf([mounts]), listed: [], target };
}

/** An account that has the models it lists and no other. */
export function listedAccount(setup: AccountSetup, listed: readonly Target[]): ProviderAccount {
  const prefix = setup.manifest.name.length + 1;
  const byName = new Map(listed.map((target) => [target.id.slice(prefix), target]));
  const connections = connectionsOf(new Set(listed.map(({ mounts }) => mounts)));
  return { ...identity(setup), connections, listed, target: (model) => byName.get(model) };
}

export function targetOf(setup: AccountSetup, mounts: Mounts, model: ListedModel): Target {
  const { manifest, catalogueId } = setup;
  const knownAs = model.pricedAs ?? model.knownAs;
  const price: PriceSource = {
    catalogueId,
    modelId: model.pricedAs ?? model.modelId,
    cost: model.cost,
    discountPercent: manifest.discount_percent,
    terms: setup.terms,
  };
  return {
    id: `${manifest.name}/${model.name}`,
    account: manifest.name,
    provider: setup.provider ?? kind(manifest.type),
    modelId: model.modelId,
    ...(knownAs !== undefined && { knownAs }),
    modelTypes: model.modelTypes.length > 0 ? model.modelTypes : undefined,
    mounts,
    abilities: model.abilities ? { ...setup.abilities, ...model.abilities } : setup.abilities,
    rules: setup.rulesOf?.(knownAs ?? model.modelId),
    faultStatuses: setup.faultStatuses,
    price,
  };
}

function identity(setup: AccountSetup) {
  const { manifest, catalogueId, exampleModel, modelIds, batches, provider = kind(manifest.type) } = setup;
  return { name: manifest.name, type: manifest.type, provider, catalogueId, exampleModel, modelIds, batches };
}

/** Each once: forms that are served side by side share their connections. */
function connectionsOf(all: Iterable<Mounts>): Connection[] {
  const byPlace = new Map<string, Connection>();
  for (const mounts of all) {
    for (const { connection } of [...mounts.values()].flat()) {
      const { origin, credential, proxy, tls } = connection;
      byPlace.set(JSON.stringify([origin, credential, proxy, tls]), connection);
    }
  }
  return [...byPlace.values()];
}

function kind(type: string): string {
  return type.slice(type.indexOf('/') + 1);
}
