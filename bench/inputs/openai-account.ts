import { plug as openai } from '../../src/providers/openai/index.ts';
import type { ProviderAccount, Target } from '../../src/providers/provider.ts';

/** With one model, `openai-main/gpt-4o`; `change` replaces what its target would do. */
export function openAiAccount(change: Partial<Target> = {}): ProviderAccount {
  const manifest = {
    type: 'provider-account/openai',
    name: 'openai-main',
    auth_data: { type: 'api-key', api_key: 'sk-bench' },
    integrations: [{ name: 'gpt-4o', type: 'integration/model/openai', model_id: 'gpt-4o', model_types: ['chat'] }],
  };
  const account = openai.open(openai.schema.parse(manifest), new Map());
  const listed = account.listed.map((target): Target => ({ ...target, ...change }));
  return { ...account, listed, target: (model) => listed.find((target) => target.modelId === model) };
}
