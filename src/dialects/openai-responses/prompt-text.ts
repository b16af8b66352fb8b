import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import {
  ANSWER_TOKENS,
  IMAGE_TOKENS,
  MESSAGE_TOKENS,
  type PromptText,
  TOOL_CALL_TOKENS,
  TOOLS_TOKENS,
} from '../../inference/sampled-text.ts';

/** The texts of a parsed request for a response: its instructions, its items, its tools and its schema. */
export function promptText(body: unknown): PromptText {
  const texts: string[] = [];
  let extraTokens = ANSWER_TOKENS;
  const add = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
  };
  const parts = (value: unknown): void => {
    add(value);
    if (!isArray(value)) return;
    for (const part of value) {
      const { text, refusal, type } = objectOf(part) ?? {};
      add(text ?? refusal);
      if (type === 'input_image') extraTokens += IMAGE_TOKENS;
    }
  };
  const item = (value: JsonObject): void => {
    extraTokens += value['name'] === undefined ? MESSAGE_TOKENS : TOOL_CALL_TOKENS;
    for (const key of ['name', 'arguments', 'input']) add(value[key]);
    for (const key of ['content', 'output', 'summary']) parts(value[key]);
  };
  const { instructions, input, tools, text } = objectOf(body) ?? {};
  if (stringOf(instructions) !== undefined) extraTokens += MESSAGE_TOKENS;
  add(instructions);
  if (isArray(input)) for (const each of input) if (isObject(each)) item(each);
  if (typeof input === 'string') {
    extraTokens += MESSAGE_TOKENS;
    add(input);
  }
  if (isArray(tools) && tools.length > 0) {
    extraTokens += TOOLS_TOKENS;
    texts.push(JSON.stringify(tools));
  }
  const schema = objectOf(objectOf(text)?.['format'])?.['schema'];
  if (schema !== undefined) texts.push(JSON.stringify(schema));
  return { text: texts.join('\n'), extraTokens, scale: 1 };
}
