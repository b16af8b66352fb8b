import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Target } from '../../src/providers/provider.ts';

/** A target that leads nowhere, for what only wants its name. */
export const exampleTarget: Target = {
  id: 'main/model',
  account: 'main',
  provider: 'example',
  modelId: 'model',
  modelTypes: undefined,
  connection: { origin: 'https://provider.example', credential: '0' },
  basePath: '',
  headers: [],
  abilities: { usageInStream: true },
  wire: openAiChatWire,
  price: { catalogueId: undefined, modelId: 'model' },
};
