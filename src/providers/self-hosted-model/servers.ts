import { openAiMediaWires } from '../openai-compatible/media-wires.ts';
import {
  cohereRerankWire,
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiModerationsWire,
  textRerankWire,
} from '../openai-compatible/wire.ts';
import type { Wire } from '../provider.ts';
import type { ModelServer } from './manifest.ts';
import { nemoEmbeddingsWire, nemoRankingWire } from './nemo-retriever.ts';
import { teiRerankWire } from './tei.ts';

/** What a server serves behind the address of its model. */
export interface ServedWire {
  readonly wire: Wire;
  /** `as-written`: behind the address; else behind its root and this, whether or not the address names a version. */
  readonly under: 'as-written' | '' | '/v1' | '/v2';
}

const asWritten = (wire: Wire): ServedWire => ({ wire, under: 'as-written' });

const OPENAI_COMPATIBLE = [
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiModerationsWire,
  cohereRerankWire,
  ...openAiMediaWires,
].map(asWritten);

export const SERVERS: Readonly<Record<ModelServer, readonly ServedWire[]>> = {
  'openai-compatible': OPENAI_COMPATIBLE,
  'vllm-openai': OPENAI_COMPATIBLE,
  tei: [
    { wire: openAiEmbeddingsWire, under: '/v1' },
    { wire: teiRerankWire, under: '' },
  ],
  infinity: [openAiEmbeddingsWire, textRerankWire].map(asWritten),
  'nemo-retriever': [
    { wire: nemoEmbeddingsWire, under: '/v1' },
    { wire: nemoRankingWire, under: '/v1' },
  ],
  'cohere-rerank-v2': [{ wire: textRerankWire, under: '/v2' }],
};

const VERSION = /\/v[12]$/;

export function addressOf(url: string, under: ServedWire['under']): string {
  return under === 'as-written' ? url : url.replace(VERSION, '') + under;
}
