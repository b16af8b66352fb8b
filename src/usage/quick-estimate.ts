import type { AnswerText } from '../inference/sampled-text.ts';
import type { Usage } from '../inference/usage.ts';
import type { UsageMeter } from './usage-meter.ts';

const BYTES_PER_TOKEN = 4;
/** A body of images is all bytes and few tokens: without looking into it, no prompt is taken for longer. */
const MAX_PROMPT_TOKENS = 131_072;

export interface QuickEstimateRequest {
  readonly bodyBytes: number;
  readonly meter: UsageMeter;
  /** Finds the words in a sample of the answer, where its form is known. */
  readonly answerText: (sample: Buffer, totalBytes: number) => AnswerText | undefined;
  /**
   * The pieces of a stream: each is a token nearly always, where the network did not put several together; 0: it was
   * none.
   */
  readonly pieces: number;
}

/** What an exchange probably used, at once and without a vocabulary: about four bytes of text a token. */
export function quickEstimate(request: QuickEstimateRequest): Required<Pick<Usage, 'inputTokens' | 'outputTokens'>> {
  const inputTokens = quickInputTokens(request.bodyBytes);
  return { inputTokens, outputTokens: Math.max(request.pieces, Math.ceil(answerBytes(request) / BYTES_PER_TOKEN)) };
}

/** Tokens of a prompt by the length of its body alone. */
export function quickInputTokens(bodyBytes: number): number {
  return Math.min(MAX_PROMPT_TOKENS, Math.ceil(bodyBytes / BYTES_PER_TOKEN));
}

/** The bytes of text, as far as it is known which of the answer's bytes are that. */
function answerBytes({ meter, pieces, answerText }: QuickEstimateRequest): number {
  if (meter.translatedCharacters > 0) return meter.translatedCharacters;
  const seen = answerText(meter.sample(), meter.answerBytes);
  if (seen === undefined || seen.textBytes === 0) return pieces > 0 ? 0 : meter.answerBytes;
  return Buffer.byteLength(seen.text) * (1 + seen.restBytes / seen.textBytes);
}
