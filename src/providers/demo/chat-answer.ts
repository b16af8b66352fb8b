import { createHash } from 'node:crypto';
import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';

const LONGEST_QUOTE_CHARACTERS = 300;

export interface ChatAnswer {
  id: string;
  /** With the white space behind each, so that joined they are the text. A word is a token here. */
  words: string[];
  finish: 'stop' | 'length';
  promptTokens: number;
  stream: boolean;
  includeUsage: boolean;
}

/** The answer to a chat request: the same for the same request, and it says that it is a demo. */
export function chatAnswer(request: JsonObject, body: Buffer): ChatAnswer {
  const messages = isArray(request['messages']) ? request['messages'].filter(isObject) : promptOf(request);
  const question = messages.findLast((message) => message['role'] === 'user');
  const asked = question === undefined ? '' : textOf(question['content']).trim();
  const quote = asked.length > LONGEST_QUOTE_CHARACTERS ? `${asked.slice(0, LONGEST_QUOTE_CHARACTERS)}…` : asked;
  const all = words(
    `This is the demo of Sluice: no model was asked. ${quote ? `You wrote: “${quote}”` : 'You wrote nothing.'} ` +
      'With an account configured, the answer of a real model would stream from here, word by word, as this one does.',
  );
  const limit = countOf(request['max_completion_tokens']) ?? countOf(request['max_tokens']) ?? all.length;
  return {
    id: `chatcmpl-demo-${createHash('sha256').update(body).digest('hex').slice(0, 16)}`,
    words: all.slice(0, limit),
    finish: limit < all.length ? 'length' : 'stop',
    promptTokens: messages.reduce((sum, message) => sum + words(textOf(message['content'])).length, 0),
    stream: request['stream'] === true,
    includeUsage: objectOf(request['stream_options'])?.['include_usage'] === true,
  };
}

/** The prompt of an older completion as a chat's message. */
function promptOf({ prompt }: JsonObject): JsonObject[] {
  const texts = (isArray(prompt) ? prompt : [prompt]).filter((each) => typeof each === 'string');
  return texts.length > 0 ? [{ role: 'user', content: texts.join(' ') }] : [];
}

/** `content` as a string, or the text of its parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!isArray(content)) return '';
  return content
    .map((part) => (isObject(part) ? stringOf(part['text']) : undefined))
    .filter((text) => text !== undefined)
    .join(' ');
}

function words(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [];
}
