import type { ModelType } from '../../inference/operation.ts';
import { NO_CREDENTIAL } from '../base/credential.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiMediaWires } from '../openai-compatible/media-wires.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { LocalResponder, ProviderAccount, Target, Wire } from '../provider.ts';
import { answerChat } from './chat-responder.ts';
import { answerMedia } from './media-responder.ts';

const NAME = 'demo';

/** The account that needs no network and no key. Its answers are free and say that they are a demo. */
export function demoAccount(): ProviderAccount {
  const listed = [
    demoModel('chat', ['chat'], [openAiChatWire], answerChat),
    demoModel('image', ['image'], openAiMediaWires, answerMedia),
    demoModel('speech', ['text_to_speech'], openAiMediaWires, answerMedia),
    demoModel('transcription', ['audio_transcription', 'audio_translation'], openAiMediaWires, answerMedia),
  ];
  return {
    name: NAME,
    type: NAME,
    provider: NAME,
    catalogueId: undefined,
    exampleModel: 'chat',
    connections: [],
    listed,
    target: (model) => listed.find(({ modelId }) => modelId === model),
  };
}

function demoModel(
  modelId: string,
  modelTypes: readonly ModelType[],
  wires: readonly Wire[],
  local: LocalResponder,
): Target {
  return {
    id: `${NAME}/${modelId}`,
    account: NAME,
    provider: NAME,
    modelId,
    modelTypes,
    // Never connected to; pools are not asked where `local` answers.
    mounts: mountsOf(wires.map((wire) => mountAt({ wire, url: 'http://demo.invalid', credential: NO_CREDENTIAL }))),
    abilities: { usageInStream: true, developerRole: true },
    price: {
      catalogueId: undefined,
      modelId,
      cost: { metric: 'per_1000_tokens', value: { input: 0, output: 0 } },
    },
    local,
  };
}
