import type { Mount, Mounts, ProviderAccount, Target } from '../provider.ts';
import { type AccountSetup, type ListedModel, listedAccount, openAccount, targetOf } from './account.ts';
import type { AwsAccount } from './aws-credential.ts';
import { listedModel, type WrittenModel } from './listed-models.ts';
import { mountsOf } from './mount.ts';

/** A service of AWS that is another host in each region. */
export interface RegionalSetup<F extends string> extends AccountSetup {
  manifest: AccountSetup['manifest'] &
    AwsAccount & { integrations: readonly (WrittenModel & { model_id: string; region?: string | undefined })[] };
  /** Models that are asked in the same way. */
  families: readonly F[];
  familyOf(modelId: string): F;
  mountsIn(region: string, family: F): readonly Mount[];
}

/** Models are asked in the region of the account, unless an integration says otherwise. */
export function regionalAccount<F extends string>(setup: RegionalSetup<F>): ProviderAccount {
  const { manifest, families, familyOf, mountsIn } = setup;
  const made = new Map<string, Mounts>();
  const mountsFor = (region: string, family: F): Mounts => {
    const key = `${region} ${family}`;
    const mounts = made.get(key) ?? mountsOf(mountsIn(region, family));
    made.set(key, mounts);
    return mounts;
  };
  const target = (model: ListedModel, region = manifest.region): Target =>
    priced({ ...targetOf(setup, mountsFor(region, familyOf(model.modelId)), model), region });
  if (manifest.integrations.length > 0) {
    const listed = manifest.integrations.map((each) => target(listedModel(each, each.model_id), each.region));
    return listedAccount(setup, listed);
  }
  const mounts = families.flatMap((family) => [...mountsFor(manifest.region, family).values()].flat());
  return {
    ...openAccount({ ...setup, mounts, listed: [] }),
    target: (model) => target({ name: model, modelId: model, modelTypes: [] }),
  };
}

/** In ARNs of models and of profiles that AWS defined, the id that the price list knows stands at the end. */
function priced(target: Target): Target {
  const { modelId, price } = target;
  return modelId.startsWith('arn:')
    ? { ...target, price: { ...price, modelId: modelId.slice(modelId.lastIndexOf('/') + 1) } }
    : target;
}
