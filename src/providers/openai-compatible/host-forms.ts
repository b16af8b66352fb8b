import type { ModelType } from '../../inference/operation.ts';
import type { ListTerms } from '../../inference/served-as.ts';
import type { Wire } from '../provider.ts';
import type { ProviderBatches } from '../provider-batches.ts';
import type { HostRow } from './host-row.ts';
import {
  openAiImageEditsWire,
  openAiImagesWire,
  openAiImageVariationsWire,
  openAiSpeechWire,
  openAiTranscriptionsWire,
  openAiTranslationsWire,
} from './media-wires.ts';
import { mistralOcrWire } from './mistral-ocr.ts';
import { fireworksImages, openRouterImages, togetherImages } from './own-forms/host-images.ts';
import { mistralSpeech, mistralTranscripts } from './own-forms/mistral-audio.ts';
import { mistralBatches, mistralTerms } from './own-forms/mistral-batches.ts';
import { voyageEmbeddings, voyageRerank } from './own-forms/voyage.ts';
import { xaiImageEdits, xaiSpeech, xaiTranscripts } from './own-forms/xai-media.ts';
import { openAiRealtimeWire } from './realtime-wire.ts';
import {
  cohereRerankWire,
  openAiChatWire,
  openAiCompletionsWire,
  openAiEmbeddingsWire,
  openAiModerationsWire,
  openAiResponsesWire,
} from './wire.ts';

/** How a host is asked for what it serves, where its row says nothing else. What is not there has no endpoint of its own. */
const USUAL: Partial<Record<ModelType, readonly Wire[]>> = {
  chat: [openAiChatWire],
  completion: [openAiCompletionsWire],
  embedding: [openAiEmbeddingsWire],
  moderation: [openAiModerationsWire],
  rerank: [cohereRerankWire],
  ocr: [mistralOcrWire],
  responses: [openAiResponsesWire],
  image: [openAiImagesWire, openAiImageEditsWire, openAiImageVariationsWire],
  text_to_speech: [openAiSpeechWire],
  audio_transcription: [openAiTranscriptionsWire],
  audio_translation: [openAiTranslationsWire],
  realtime: [openAiRealtimeWire],
};

/** Forms that hosts of the table have of their own, by the names that rows call them. */
export const OWN_FORMS: Readonly<Record<string, readonly Wire[]>> = {
  // It has the endpoint in a form that nobody here speaks.
  unknown: [],
  'fireworks-images': [fireworksImages],
  'mistral-speech': [mistralSpeech],
  'mistral-transcriptions': [mistralTranscripts],
  'openrouter-images': openRouterImages,
  'together-images': togetherImages,
  'voyage-embeddings': [voyageEmbeddings],
  'voyage-rerank': [voyageRerank],
  'xai-images': [openAiImagesWire, xaiImageEdits],
  'xai-speech': [xaiSpeech],
  'xai-transcriptions': [xaiTranscripts],
};

/** Batches that hosts run, by the names that rows call their forms, and what they cost next to the list price. */
export const HOST_BATCHES: Readonly<Record<string, { readonly batches: ProviderBatches; readonly terms: ListTerms }>> =
  {
    'mistral-jobs': { batches: mistralBatches, terms: mistralTerms },
  };

/** Every wire that hosts of the table speak. */
export const HOST_WIRES: readonly Wire[] = [...new Set([...Object.values(USUAL), ...Object.values(OWN_FORMS)].flat())];

/** The wires by which a host is asked for what it serves, in the order of its row. */
export function wiresOf({ serves, forms = {} }: Pick<HostRow, 'serves' | 'forms'>): { type: ModelType; wire: Wire }[] {
  return serves.flatMap((type) => {
    const own = forms[type];
    const wires = own === undefined ? USUAL[type] : OWN_FORMS[own];
    return (wires ?? []).map((wire) => ({ type, wire }));
  });
}
