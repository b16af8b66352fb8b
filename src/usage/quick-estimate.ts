import type { Usage } from '../inference/usage.ts';
import { answerText } from './answer-text.ts';
import type { UsageMeter } from './usage-meter.ts';

const BYTES_PER_TOKEN = 4;
/** A body of images is all bytes and few tokens: without looking into it, no prompt is taken for longer. */
const LONGEST_PROMPT = 131_072;

export interface QuickEstimateRequest {
  readonly bodyBytes: number;
  readonly meter: UsageMeter;
  /** Of a stream: each is a token nearly always, where the network did not put several together; 0: it was none. */
  readonly pieces: number;
}

/** What an exchange probably used, at once and without a vocabulary: about four bytes of text a token. */
export function quickEstimate({
  bodyBytes,
  meter,
  pieces,
}: QuickEstimateRequest): Required<Pick<Usage, 'inputTokens' | 'outputTokens'>> {
  const inputTokens = Math.min(LONGEST_PROMPT, Math.ceil(bodyBytes / BYTES_PER_TOKEN));
  return { inputTokens, outputTokens: Math.max(pieces, Math.ceil(answerBytes(meter, pieces) / BYTES_PER_TOKEN)) };
}

/** Of text, as far as it is known which of the answer's bytes are that. */
function answerBytes(meter: UsageMeter, pieces: number): number {
  if (meter.translatedCharacters > 0) return meter.translatedCharacters;
  const seen = answerText(meter.sample(), meter.answerBytes);
  if (seen === undefined || seen.textBytes === 0) return pieces > 0 ? 0 : meter.answerBytes;
  return Buffer.byteLength(seen.text) * (1 + seen.restBytes / seen.textBytes);
}
