import type { FilePart } from './form-part.ts';

export const TRANSCRIPT_FORMATS = ['json', 'text', 'srt', 'vtt', 'verbose_json', 'diarized_json'] as const;
/** In OpenAI's words. */
export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number];

/** The neutral request for a transcript, used only when dialect and wire differ. */
export interface TranscriptionRequest {
  /** The provider's model id, not the client's. */
  readonly model: string;
  readonly audio: FilePart;
  /** The boundary of the client's form; it stands nowhere in the audio. */
  readonly boundary: string;
  /** ISO 639-1, as the client wrote it. */
  readonly language: string | undefined;
  readonly format: TranscriptFormat;
  /** The client asks for the time of each word, or its format tells times. */
  readonly wordTimes: boolean;
  readonly segmentTimes: boolean;
  /** The transcript shall be in English, whatever is spoken. */
  readonly intoEnglish: boolean;
  /** Everything else the client sent, by its own name. */
  readonly extra: readonly (readonly [name: string, value: string])[];
}

/** What was said from `start` to `end`, in seconds. */
export interface SpokenPart {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Who, in the provider's words. */
  readonly speaker?: string | undefined;
}
