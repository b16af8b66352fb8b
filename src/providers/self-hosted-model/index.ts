import { type AccountSetup, listedAccount, targetOf } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedModel } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import type { ProviderPlug } from '../provider.ts';
import { manifestSchema, type SelfHostedModel, type } from './manifest.ts';
import { addressOf, SERVERS } from './servers.ts';

const WIRES = [...new Set(Object.values(SERVERS).flatMap((served) => served.map(({ wire }) => wire)))];

/** Models behind servers of one's own: each with its own address and credential. */
export const plug: ProviderPlug = {
  type,
  schema: manifestSchema,
  wires: WIRES,
  probe: openAiModels,
  open(checked) {
    const manifest = manifestSchema.parse(checked);
    const setup: AccountSetup = {
      manifest,
      catalogueId: undefined,
      // Chat templates of most models know system, user and assistant only, and fail at another role.
      abilities: { usageInStream: true, developerRole: false },
    };
    const listed = manifest.integrations.map((model) => {
      const { url, tls_settings = manifest.tls_settings } = model;
      const account = { ...manifest, tls_settings };
      const credential = headerCredential(requestHeaders(model));
      const mounts = SERVERS[model.model_server].map(({ wire, under }) =>
        mountAt({ wire, url: addressOf(url, under), credential, account }),
      );
      return targetOf(setup, mountsOf(mounts), listedModel(model, model.hosted_model_name));
    });
    return listedAccount(setup, listed);
  },
};

/** A configured value may be a credential as well: each is taken for one. */
function requestHeaders({ auth_data: auth, headers }: SelfHostedModel): string[] {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers ?? {})) flat.push(name.toLowerCase(), value);
  if (auth?.type === 'bearer-auth') flat.push('authorization', `Bearer ${auth.bearer_token}`);
  if (auth?.type === 'basic-auth') {
    flat.push('authorization', `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`);
  }
  return flat;
}
