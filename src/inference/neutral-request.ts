import type { EmbeddingRequest } from './embedding.ts';
import type { ImageRequest } from './image.ts';
import type { OcrRequest } from './ocr.ts';
import type { InferenceRequest } from './request.ts';
import type { RerankRequest } from './rerank.ts';
import type { SpeechRequest } from './speech.ts';
import type { TranscriptionRequest } from './transcription.ts';

/** A request of any operation, in neutral words. Which one it is, dialect and wire agree on by their operation. */
export type NeutralRequest =
  | InferenceRequest
  | EmbeddingRequest
  | RerankRequest
  | OcrRequest
  | SpeechRequest
  | ImageRequest
  | TranscriptionRequest;
