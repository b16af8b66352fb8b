import type { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault, optionalKey } from '../../config/scalar-schema.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential, NO_CREDENTIAL } from '../base/credential.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import { openAiBatches } from '../base/openai-batches.ts';
import { chatRules, OPENAI_MODELS } from '../openai-compatible/chat-rules.ts';
import { openAiMediaWires } from '../openai-compatible/media-wires.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import { openAiRealtimeWire } from '../openai-compatible/realtime-wire.ts';
import {
  cohereRerankWire,
  openAiChatWire,
  openAiCompactionWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiInputTokensWire,
  openAiModerationsWire,
  openAiResponsesWire,
} from '../openai-compatible/wire.ts';
import type { ProviderPlug, Wire } from '../provider.ts';
import { listTerms } from './list-terms.ts';
import { openAiOwnChatWire } from './wire.ts';

const type = 'provider-account/openai';
const OPENAI = 'https://api.openai.com/v1';

/** The wires of OpenAI, and of hosts that are compatible with it: rerank is theirs alone. */
const WIRES = [
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiModerationsWire,
  cohereRerankWire,
  openAiRealtimeWire,
  ...openAiMediaWires,
];
/** The wires of responses that OpenAI alone is known to have beside them. */
const OWN_WIRES = [openAiInputTokensWire, openAiCompactionWire];
/** OpenAI itself, in whatever region: other servers at `base_url` mostly have no Responses, and are asked by chats. */
const OWN_HOST = /^([a-z0-9-]+\.)?api\.openai\.com$/;

const schema = accountBase(type).extend({
  auth_data: optionalKey(apiKeyAuth),
  base_url: keyWithDefault(baseUrl(), OPENAI),
  integrations: integrationList(integrationBase('integration/model/openai')),
});

export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: {
    variable: 'OPENAI_API_KEY',
    account: 'openai',
    manifest: (value) => ({ type, name: 'openai', auth_data: { type: 'api-key', api_key: value } }),
  },
  wires: [...WIRES, openAiOwnChatWire, openAiResponsesWire, ...OWN_WIRES],
  passedAt: ['/fine_tuning/{*path}'],
  probe: openAiModels,
  open(checked) {
    // Parsed again for its types: a manifest comes here over a thread border as plain data.
    const manifest = schema.parse(checked);
    const credential = manifest.auth_data
      ? headerCredential(['authorization', `Bearer ${manifest.auth_data.api_key}`])
      : NO_CREDENTIAL;
    return openAccount({
      manifest,
      catalogueId: 'openai',
      terms: listTerms,
      exampleModel: 'gpt-4o-mini',
      abilities: { usageInStream: true, developerRole: true },
      // Another server at that address may know the older name alone.
      ...(manifest.base_url === OPENAI && { rulesOf: (modelId: string) => chatRules(OPENAI_MODELS, modelId) }),
      mounts: wiresOf(manifest).map((wire) => mountAt({ wire, url: manifest.base_url, credential, account: manifest })),
      listed: listedModels(manifest.integrations),
      batches: openAiBatches,
    });
  },
};

function wiresOf({ base_url: address, integrations }: z.output<typeof schema>): Wire[] {
  const says = integrations.some(({ model_types: types }) => types.includes('responses'));
  const isOwn = OWN_HOST.test(new URL(address).host);
  if (!isOwn && !says) return WIRES;
  const wires = [openAiOwnChatWire, ...WIRES.filter((wire) => wire !== openAiChatWire), openAiResponsesWire];
  return isOwn ? [...wires, ...OWN_WIRES] : wires;
}
