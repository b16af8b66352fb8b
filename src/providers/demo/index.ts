import type { ModelType } from '../../inference/operation.ts';
import { NO_CREDENTIAL } from '../base/credential.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiMediaWires } from '../openai-compatible/media-wires.ts';
import {
  cohereRerankWire,
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiModerationsWire,
} from '../openai-compatible/wire.ts';
import type { LocalResponder, ProviderAccount, Target, Wire } from '../provider.ts';
import { answerChat } from './chat-responder.ts';
import { answerEmbeddings } from './embeddings.ts';
import { answerMedia } from './media-responder.ts';
import { answerModerations } from './moderations.ts';
import { answerRerank } from './rerank.ts';

const NAME = 'demo';

interface DemoModel {
  readonly name: string;
  readonly types: readonly ModelType[];
  readonly wires: readonly Wire[];
  readonly local: LocalResponder;
}

const MODELS: readonly DemoModel[] = [
  { name: 'chat', types: ['chat'], wires: [openAiChatWire, openAiCompletionsWire], local: answerChat },
  { name: 'embedding', types: ['embedding'], wires: [openAiEmbeddingsWire], local: answerEmbeddings },
  { name: 'moderation', types: ['moderation'], wires: [openAiModerationsWire], local: answerModerations },
  { name: 'image', types: ['image'], wires: openAiMediaWires, local: answerMedia },
  { name: 'speech', types: ['text_to_speech'], wires: openAiMediaWires, local: answerMedia },
  {
    name: 'transcription',
    types: ['audio_transcription', 'audio_translation'],
    wires: openAiMediaWires,
    local: answerMedia,
  },
  { name: 'rerank', types: ['rerank'], wires: [cohereRerankWire], local: answerRerank },
];

/** The account that needs no network and no key. Its answers are free and say that they are a demo. */
export function demoAccount(): ProviderAccount {
  const targets = new Map(MODELS.map((model) => [model.name, targetOf(model)]));
  return {
    name: NAME,
    type: NAME,
    provider: NAME,
    catalogueId: undefined,
    exampleModel: 'chat',
    connections: [],
    listed: [...targets.values()],
    target: (model) => targets.get(model),
  };
}

function targetOf({ name, types, wires, local }: DemoModel): Target {
  return {
    id: `${NAME}/${name}`,
    account: NAME,
    provider: NAME,
    modelId: name,
    modelTypes: types,
    // Never connected to; pools are not asked where `local` answers.
    mounts: mountsOf(wires.map((wire) => mountAt({ wire, url: 'http://demo.invalid', credential: NO_CREDENTIAL }))),
    abilities: { usageInStream: true, developerRole: true },
    price: {
      catalogueId: undefined,
      modelId: name,
      terms: { multipliers: [], free: /^/ },
    },
    local,
  };
}
