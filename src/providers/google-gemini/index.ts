import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault, secretText } from '../../config/scalar-schema.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedIds } from '../base/listed-ids.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { geminiImagesWires } from '../gemini-generate-content/images.ts';
import { listTerms } from '../gemini-generate-content/list-terms.ts';
import { geminiSpeechWire } from '../gemini-generate-content/speech.ts';
import { geminiTranscriptsWires } from '../gemini-generate-content/transcripts.ts';
import { geminiWire } from '../gemini-generate-content/wire.ts';
import type { ProviderPlug } from '../provider.ts';
import { geminiBatches } from './batches.ts';
import { geminiCountTokensWire } from './count-tokens.ts';
import { geminiEmbeddingsWire } from './embeddings.ts';

const type = 'provider-account/google-gemini';

const WIRES = [
  geminiWire,
  geminiEmbeddingsWire,
  geminiCountTokensWire,
  ...geminiImagesWires,
  geminiSpeechWire,
  ...geminiTranscriptsWires,
];

const schema = accountBase(type).extend({
  auth_data: apiKeyAuth.omit({ api_key: true }).extend({ apiKey: secretText() }),
  // Ours, not of the reference manifests: for proxies.
  base_url: keyWithDefault(baseUrl(), 'https://generativelanguage.googleapis.com/v1beta'),
  integrations: integrationList(integrationBase('integration/model/gemini', ['integration/model/gcp/google'])),
});

export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: {
    variable: 'GEMINI_API_KEY',
    account: 'google-gemini',
    manifest: (value) => ({ type, name: 'google-gemini', auth_data: { type: 'api-key', apiKey: value } }),
  },
  wires: WIRES,
  passedAt: ['/gemini/{account}/proxy/{*path}'],
  // https://ai.google.dev/api/models
  probe: {
    path: '/models?pageSize=1000',
    modelIds: (answer) => listedIds(answer, 'models', 'name')?.map((name) => name.replace(/^models\//, '')),
    modelPath: (modelId) => `/${modelId.includes('/') ? modelId : `models/${modelId}`}`,
  },
  open(checked) {
    const manifest = schema.parse(checked);
    // A header, not `?key=`: addresses are logged on the way.
    const credential = headerCredential(['x-goog-api-key', manifest.auth_data.apiKey]);
    return openAccount({
      manifest,
      catalogueId: 'google',
      terms: listTerms,
      exampleModel: 'gemini-2.5-flash',
      // Every chunk carries usage; there is nothing to ask for.
      abilities: { usageInStream: false, developerRole: true },
      mounts: WIRES.map((wire) => mountAt({ wire, url: manifest.base_url, credential, account: manifest })),
      listed: listedModels(manifest.integrations),
      batches: geminiBatches,
    });
  },
};
