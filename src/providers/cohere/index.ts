import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault } from '../../config/scalar-schema.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedIds } from '../base/listed-ids.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { noBatches } from '../base/openai-batches.ts';
import { textRerankWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';
import { cohereEmbeddingsWire } from './embeddings.ts';
import { cohereTranscripts } from './transcripts.ts';
import { cohereChatWire } from './wire.ts';

const type = 'provider-account/cohere';

const schema = accountBase(type).extend({
  auth_data: apiKeyAuth,
  // Ours, not of the reference manifests: for proxies and private deployments.
  base_url: keyWithDefault(baseUrl(), 'https://api.cohere.com'),
  integrations: integrationList(integrationBase('integration/model/cohere')),
});

/** Its rerank is the client's own form, but for the version in its path. */
const WIRES = [cohereChatWire, cohereEmbeddingsWire, textRerankWire, cohereTranscripts];

/**
 * Cohere's own form, v2, is spoken, and not its compatibility endpoint of OpenAI's form: that one refuses
 * `stream_options`, so that streams go unmetered, and has no word for citations, documents, budgets of thinking, plans of
 * tool calls, nor for what is billed. https://docs.cohere.com/docs/compatibility-api
 */
export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: {
    variable: 'COHERE_API_KEY',
    otherVariables: ['CO_API_KEY'],
    account: 'cohere',
    manifest: (value) => ({ type, name: 'cohere', auth_data: { type: 'api-key', api_key: value } }),
  },
  wires: WIRES,
  // https://docs.cohere.com/reference/list-models
  probe: {
    path: '/v1/models?page_size=1000',
    modelIds: (answer) => listedIds(answer, 'models', 'name'),
    modelPath: (modelId) => `/v1/models/${encodeURIComponent(modelId)}`,
  },
  open(checked) {
    const manifest = schema.parse(checked);
    const prefix = new URL(manifest.base_url).pathname.replace(/(\/v[12])?\/?$/, '');
    return openAccount({
      manifest,
      catalogueId: 'cohere',
      batches: noBatches('Cohere takes batches as data sets of its own.'),
      exampleModel: 'command-a-03-2025',
      // `message-end` always carries usage; there is nothing to ask for.
      abilities: { usageInStream: false, developerRole: true },
      mounts: WIRES.map((wire) =>
        mountAt({
          wire,
          account: manifest,
          // The wires' paths begin with their version: an address that was written with one means the same.
          url: manifest.base_url.replace(/\/v[12]$/, ''),
          credential: headerCredential(['authorization', `Bearer ${manifest.auth_data.api_key}`]),
          ...(wire === textRerankWire && { path: () => `${prefix}/v2/rerank` }),
        }),
      ),
      listed: listedModels(manifest.integrations),
    });
  },
};
