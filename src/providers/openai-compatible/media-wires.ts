import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';
import { toImageUsage, toSpeechUsage, toTranscriptUsage } from './to-media-usage.ts';

/*
 * Images and audio as OpenAI speaks them. Bodies with files go on as they are, in the media type that the client says.
 */

const shared = { method: 'POST', forwards: ['openai-beta'], toError } as const;
const WITH_FILES = 'of-the-client';
const JSON_TYPE = 'application/json';
const ANY = '*/*';

/** https://platform.openai.com/docs/api-reference/audio/createSpeech */
export const openAiSpeechWire: Wire = {
  ...shared,
  name: 'openai-speech',
  operation: 'speech',
  framing: 'sse',
  contentType: JSON_TYPE,
  accept: ANY,
  path: () => '/audio/speech',
  toUsage: toSpeechUsage,
};

/** https://platform.openai.com/docs/api-reference/audio/createTranscription */
export const openAiTranscriptionsWire: Wire = {
  ...shared,
  name: 'openai-transcriptions',
  operation: 'transcription',
  framing: 'sse',
  contentType: WITH_FILES,
  accept: ANY,
  path: () => '/audio/transcriptions',
  toUsage: toTranscriptUsage,
};

/** https://platform.openai.com/docs/api-reference/audio/createTranslation */
export const openAiTranslationsWire: Wire = {
  ...shared,
  name: 'openai-translations',
  operation: 'audio-translation',
  framing: 'none',
  contentType: WITH_FILES,
  accept: ANY,
  path: () => '/audio/translations',
  toUsage: toTranscriptUsage,
};

/** https://platform.openai.com/docs/api-reference/images/create */
export const openAiImagesWire: Wire = {
  ...shared,
  name: 'openai-images',
  operation: 'image',
  framing: 'sse',
  contentType: JSON_TYPE,
  path: () => '/images/generations',
  toUsage: toImageUsage,
};

/** https://platform.openai.com/docs/api-reference/images/createEdit */
export const openAiImageEditsWire: Wire = {
  ...shared,
  name: 'openai-image-edits',
  operation: 'image-edit',
  framing: 'sse',
  contentType: WITH_FILES,
  path: () => '/images/edits',
  toUsage: toImageUsage,
};

/** https://platform.openai.com/docs/api-reference/images/createVariation */
export const openAiImageVariationsWire: Wire = {
  ...shared,
  name: 'openai-image-variations',
  operation: 'image-variation',
  framing: 'none',
  contentType: WITH_FILES,
  path: () => '/images/variations',
  toUsage: toImageUsage,
};

export const openAiMediaWires: readonly Wire[] = [
  openAiSpeechWire,
  openAiTranscriptionsWire,
  openAiTranslationsWire,
  openAiImagesWire,
  openAiImageEditsWire,
  openAiImageVariationsWire,
];
