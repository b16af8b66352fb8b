import { isArray, isObject, stringOf } from '../../codec/json-value.ts';
import {
  ANSWER_TOKENS,
  IMAGE_TOKENS,
  MESSAGE_TOKENS,
  type PromptText,
  TOOL_CALL_TOKENS,
  TOOLS_TOKENS,
} from '../../inference/sampled-text.ts';

/** A parsed OpenAI chat request (or one with `prompt` or `input`). */
export function promptText(body: unknown): PromptText {
  const parts: string[] = [];
  let extraTokens = 0;

  function content(value: unknown): void {
    if (typeof value === 'string') parts.push(value);
    else if (isArray(value)) for (const part of value) contentPart(part);
  }

  function contentPart(part: unknown): void {
    if (typeof part === 'string') parts.push(part);
    if (!isObject(part)) return;
    const text = stringOf(part['text']) ?? stringOf(part['refusal']);
    if (text !== undefined) parts.push(text);
    else if (part['image_url'] !== undefined) extraTokens += IMAGE_TOKENS;
  }

  function message(value: unknown): void {
    if (!isObject(value)) return;
    extraTokens += MESSAGE_TOKENS;
    content(value['content']);
    content(value['name']);
    const calls = value['tool_calls'];
    if (isArray(calls)) {
      for (const call of calls) {
        const called = isObject(call) ? call['function'] : undefined;
        if (!isObject(called)) continue;
        extraTokens += TOOL_CALL_TOKENS;
        content(called['name']);
        content(called['arguments']);
      }
    }
  }

  if (isObject(body)) {
    const messages = body['messages'];
    if (isArray(messages)) {
      extraTokens += ANSWER_TOKENS;
      for (const each of messages) message(each);
    }
    content(body['prompt']);
    content(body['input']);
    const tools = body['tools'];
    if (isArray(tools) && tools.length > 0) {
      extraTokens += TOOLS_TOKENS;
      parts.push(JSON.stringify(tools));
    }
    const format = body['response_format'];
    if (isObject(format) && format['json_schema'] !== undefined) parts.push(JSON.stringify(format['json_schema']));
  }
  return { text: parts.join('\n'), extraTokens, scale: 1 };
}
