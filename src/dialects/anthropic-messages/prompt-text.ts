import { isArray, isObject, stringOf } from '../../codec/json-value.ts';
import {
  ANSWER_TOKENS,
  IMAGE_TOKENS,
  MESSAGE_TOKENS,
  type PromptText,
  TOOL_CALL_TOKENS,
  TOOLS_TOKENS,
} from '../../inference/sampled-text.ts';

/** The words of a parsed request: https://platform.claude.com/docs/en/api/messages */
export function promptText(body: unknown): PromptText {
  const parts: string[] = [];
  let extraTokens = 0;

  function content(value: unknown): void {
    if (typeof value === 'string') parts.push(value);
    else if (isArray(value)) for (const block of value) contentBlock(block);
  }

  function contentBlock(block: unknown): void {
    if (!isObject(block)) return;
    switch (block['type']) {
      case 'image':
        extraTokens += IMAGE_TOKENS;
        return;
      case 'tool_use':
        extraTokens += TOOL_CALL_TOKENS;
        parts.push(stringOf(block['name']) ?? '', JSON.stringify(block['input'] ?? {}));
        return;
      case 'tool_result':
        content(block['content']);
        return;
      default:
        content(block['text'] ?? block['thinking']);
    }
  }

  if (isObject(body)) {
    content(body['system']);
    const { messages, tools } = body;
    if (isArray(messages)) {
      extraTokens += ANSWER_TOKENS;
      for (const message of messages) {
        extraTokens += MESSAGE_TOKENS;
        if (isObject(message)) content(message['content']);
      }
    }
    if (isArray(tools) && tools.length > 0) {
      extraTokens += TOOLS_TOKENS;
      parts.push(JSON.stringify(tools));
    }
  }
  return { text: parts.join('\n'), extraTokens, scale: 1 };
}
