import { GatewayError } from '../core/errors.ts';
import type { PeekedRequest } from '../dialects/dialect.ts';
import { addCounts, type Usage } from '../inference/usage.ts';
import type { Mount } from '../providers/provider.ts';
import { quickInputTokens } from '../usage/quick-estimate.ts';
import { type AnswerParts, INLINE_ANSWER_BYTES, usageOfPart } from './answer-translation.ts';

/** A part of a split request that its provider answered. */
export interface AnsweredPart {
  readonly index: number;
  readonly answer: Buffer;
  readonly requestBytes: number;
}

export interface PartsUsage {
  readonly usage: Usage;
  /** Whether the provider told all of it. */
  readonly source: 'provider' | 'estimate';
}

/**
 * What the answered parts of a request used that failed as a whole: their provider bills them. Undefined: none was
 * answered. Larger answers are not parsed for it, and are estimated.
 */
export function usageOfParts(
  {
    answered: parts,
    parts: { inputs: partInputs },
  }: { readonly answered: readonly AnsweredPart[]; readonly parts: AnswerParts },
  { wire }: Pick<Mount, 'wire'>,
  { peeked: { counted, servedAs } }: { readonly peeked: PeekedRequest },
): PartsUsage | undefined {
  const images = counted?.outputImages;
  const usage: Usage = {};
  let answered = 0;
  let estimated = 0;
  for (const { index, answer, requestBytes } of parts) {
    const told = answer.length <= INLINE_ANSWER_BYTES ? usageOfPart(answer, wire) : undefined;
    // A failure inside a 200 is no answer.
    if (told instanceof GatewayError) continue;
    answered += 1;
    if (told !== undefined) addCounts(usage, told);
    else if (images === undefined) {
      estimated += 1;
      addCounts(usage, { inputTokens: quickInputTokens(requestBytes) });
    }
    if (images !== undefined) {
      addCounts(usage, { rare: { outputImages: Math.min(partInputs, images - index * partInputs) } });
    }
  }
  if (answered === 0) return undefined;
  if (servedAs !== undefined) usage.servedAs = servedAs;
  // Nothing is generated but what is counted.
  if (counted === undefined) usage.outputTokens ??= 0;
  return { usage, source: estimated > 0 ? 'estimate' : 'provider' };
}
