/** What a client asks for. A value, so that whatever depends on it can be a table: what is not listed does not compile. */
export type Operation =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'image'
  | 'image-edit'
  | 'image-variation'
  | 'speech'
  | 'transcription'
  | 'audio-translation'
  | 'moderation'
  | 'rerank'
  | 'ocr'
  | 'responses'
  | 'messages'
  | 'count-tokens'
  | 'compaction'
  | 'realtime'
  /** Nobody reads what is asked: the request is passed on as it is. */
  | 'raw';

/** What a manifest says of a model (`model_types`). */
export type ModelType =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'realtime'
  | 'rerank'
  | 'audio_transcription'
  | 'audio_translation'
  | 'text_to_speech'
  | 'moderation'
  | 'image'
  | 'responses'
  | 'ocr';

/** A model serves an operation where its manifest gives it one of these types. */
export const MODEL_TYPES_OF: Readonly<Record<Operation, readonly ModelType[]>> = {
  chat: ['chat'],
  // A model that chats can be asked to complete one text, where its provider has no such endpoint.
  completion: ['completion', 'chat'],
  embedding: ['embedding'],
  image: ['image'],
  'image-edit': ['image'],
  'image-variation': ['image'],
  speech: ['text_to_speech'],
  transcription: ['audio_transcription'],
  'audio-translation': ['audio_translation'],
  moderation: ['moderation'],
  rerank: ['rerank'],
  ocr: ['ocr'],
  // Further forms of a chat: a model that chats can be asked in them.
  responses: ['responses', 'chat'],
  messages: ['chat'],
  'count-tokens': ['chat', 'responses'],
  compaction: ['responses', 'chat'],
  realtime: ['realtime'],
  raw: [],
};
