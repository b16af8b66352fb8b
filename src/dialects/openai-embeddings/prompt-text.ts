import { isArray, isObject } from '../../codec/json-value.ts';
import type { PromptText } from '../../inference/sampled-text.ts';

/** A text, texts, the tokens of one, or those of several. */
export function promptText(body: unknown): PromptText {
  const input = isObject(body) ? body['input'] : undefined;
  const inputs = isArray(input) && !input.every((each) => typeof each === 'number') ? input : [input];
  const texts = inputs.filter((each) => typeof each === 'string');
  const tokens = inputs.filter(isArray).reduce((sum, each) => sum + each.length, 0);
  return { text: texts.join('\n'), extraTokens: tokens, scale: 1 };
}
