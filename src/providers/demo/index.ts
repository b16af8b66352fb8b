import { NO_CREDENTIAL } from '../base/credential.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { ProviderAccount, Target } from '../provider.ts';
import { answerChat } from './chat-responder.ts';

const NAME = 'demo';

/** The account that needs no network and no key. Its answers are free and say that they are a demo. */
export function demoAccount(): ProviderAccount {
  const chat: Target = {
    id: `${NAME}/chat`,
    account: NAME,
    provider: NAME,
    modelId: 'chat',
    modelTypes: ['chat'],
    // Never connected to; pools are not asked where `local` answers.
    mounts: mountsOf([mountAt({ wire: openAiChatWire, url: 'http://demo.invalid', credential: NO_CREDENTIAL })]),
    abilities: { usageInStream: true, developerRole: true },
    price: {
      catalogueId: undefined,
      modelId: 'chat',
      cost: { metric: 'per_1000_tokens', value: { input: 0, output: 0 } },
    },
    local: answerChat,
  };
  return {
    name: NAME,
    type: NAME,
    provider: NAME,
    catalogueId: undefined,
    exampleModel: 'chat',
    connections: [],
    listed: [chat],
    target: (model) => (model === chat.modelId ? chat : undefined),
  };
}
