import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault } from '../../config/scalar-schema.ts';
import { openAccount } from '../base/account.ts';
import { NO_CREDENTIAL } from '../base/credential.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import { openAiChatWire, openAiCompletionsWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';

const type = 'provider-account/ollama';
const WIRES = [openAiChatWire, openAiCompletionsWire, openAiEmbeddingsWire];
const LOCAL_HOST = 'http://127.0.0.1:11434';

const schema = accountBase(type).extend({
  auth_data: keyWithDefault(z.object({ custom_host: keyWithDefault(baseUrl(), LOCAL_HOST) }), {
    custom_host: LOCAL_HOST,
  }),
  integrations: integrationList(integrationBase('integration/model/ollama')),
});

export const plug: ProviderPlug = {
  type,
  schema,
  wires: WIRES,
  probe: openAiModels,
  open(checked) {
    const manifest = schema.parse(checked);
    const url = openAiEndpoint(manifest.auth_data.custom_host);
    return openAccount({
      manifest,
      // Models on one's own machine have no price list.
      catalogueId: undefined,
      abilities: { usageInStream: true, developerRole: false },
      mounts: WIRES.map((wire) => mountAt({ wire, url, credential: NO_CREDENTIAL, account: manifest })),
      listed: listedModels(manifest.integrations),
    });
  },
};

/** People write the host as Ollama prints it, or the endpoint as OpenAI clients want it. */
function openAiEndpoint(host: string): string {
  return host.endsWith('/v1') ? host : `${host}/v1`;
}
