import { NO_CREDENTIAL } from '../../src/providers/base/credential.ts';
import { mountAt, mountsOf } from '../../src/providers/base/mount.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Mounts, Target, Wire } from '../../src/providers/provider.ts';

/** One place that speaks these wires, leading nowhere. */
export function exampleMounts(...wires: readonly Wire[]): Mounts {
  return mountsOf(wires.map((wire) => mountAt({ wire, url: 'https://provider.example', credential: NO_CREDENTIAL })));
}

/** A target that leads nowhere, for what only wants its name. */
export const exampleTarget: Target = {
  id: 'main/model',
  account: 'main',
  provider: 'example',
  modelId: 'model',
  modelTypes: undefined,
  mounts: exampleMounts(openAiChatWire),
  abilities: { usageInStream: true, developerRole: true },
  price: { catalogueId: undefined, modelId: 'model' },
};

/** A target that is asked over a connection of its own, at `origin`. */
export function targetAt(origin: string, account: string, headers: readonly string[] = []): Target {
  const mount = mountAt({ wire: openAiChatWire, url: origin, credential: NO_CREDENTIAL, headers });
  return { ...exampleTarget, id: `${account}/model`, account, mounts: mountsOf([mount]) };
}
