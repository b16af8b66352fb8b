/** The neutral request for speech, used only when dialect and wire differ. The answer is bytes, and needs no words. */
export interface SpeechRequest {
  /** The provider's model id, not the client's. */
  model: string;
  text: string;
  /** A name or an id; undefined: the client named none. */
  voice: string | undefined;
  format: SpeechFormat;
  /** The client named it; else it is what OpenAI would speak. */
  formatIsNamed: boolean;
  /** Next to 1, the usual one; undefined: not said. */
  speed: number | undefined;
  /** Everything else the client sent at the top level, by its own key. */
  extra: Record<string, unknown>;
}

export const SPEECH_FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const;
/** In OpenAI's words: `pcm` is 24 kHz, 16 bits, lowest byte first, without a header. */
export type SpeechFormat = (typeof SPEECH_FORMATS)[number];
