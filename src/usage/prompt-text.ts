import { isArray, isObject, stringOf } from '../codec/json-value.ts';

/** What of a request body is turned into tokens: its text, and a count for what has none. */
export interface PromptText {
  text: string;
  /** Tokens that are not in the text: frames of messages, images. */
  extraTokens: number;
  /** How much larger the whole is than what was seen; 1 where all was. */
  scale: number;
}

/**
 * Frames as OpenAI's cookbook counts them: three tokens a message and its role, three for the answer's beginning. An
 * image counts as a square of 1,024 pixels in high detail; audio and files are not counted.
 */
const MESSAGE_TOKENS = 4;
const ANSWER_TOKENS = 3;
const IMAGE_TOKENS = 765;
/** What providers say around the tools they pass on: 40 to 500 tokens in recorded answers; near the lower end. */
const TOOLS_TOKENS = 50;
/** Frame of one call, beside its name and arguments: 9 to 50 in recorded answers. */
export const TOOL_CALL_TOKENS = 16;

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

/**
 * A body too large to be carried whole: its beginning and its end as raw text. Long strings without a space (base64 of
 * images) are no text; where the beginning stops inside one, the part that was left out is taken for more of it, else
 * for more of the same text.
 */
export function cutPromptText(head: string, tail: string, totalBytes: number): PromptText {
  const headStrings = head.split('"');
  const opaqueAtCut = isOpaque(headStrings[headStrings.length - 1] ?? '');
  const seenBytes = head.length + tail.length;
  return {
    text: [...headStrings, ...tail.split('"')].filter((string) => !isOpaque(string)).join('"'),
    extraTokens: 0,
    scale: opaqueAtCut ? 1 : Math.max(1, totalBytes / seenBytes),
  };
}

function isOpaque(string: string): boolean {
  return string.length >= 1000 && !string.includes(' ');
}
