import { isArray, isObject } from '../../codec/json-value.ts';
import { IMAGE_TOKENS, type PromptText } from '../../inference/sampled-text.ts';

/** A text, texts, the tokens of one, or those of several; also parts of text and of images. */
export function inputText(input: unknown): PromptText {
  const inputs = isArray(input) && !input.every((each) => typeof each === 'number') ? input : [input];
  const texts: string[] = [];
  let extraTokens = 0;
  for (const each of inputs) {
    if (typeof each === 'string') texts.push(each);
    else if (isArray(each)) extraTokens += each.length;
    else if (isObject(each) && typeof each['text'] === 'string') texts.push(each['text']);
    else if (isObject(each)) extraTokens += IMAGE_TOKENS;
  }
  return { text: texts.join('\n'), extraTokens, scale: 1 };
}
