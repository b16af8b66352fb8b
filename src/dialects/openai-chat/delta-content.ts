import { type Gap, gapsOf } from '../../codec/familiar-event.ts';
import { isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { LooseKeys } from '../../codec/known-event.ts';

/** Text, in the words of OpenAI, DeepSeek and those who serve open models, OpenRouter and Ollama, OpenAI. */
const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal'];
/** Lists with something in them. `reasoning_details`, `images`: OpenRouter. */
const LISTS = ['tool_calls', 'reasoning_details', 'thinking_blocks', 'images'];
/** What hides the length of an event's text (OpenAI, Mistral). */
const PADDINGS = ['obfuscation', 'p'];

/** What differs between events that say the same. */
export const LOOSE_KEYS: LooseKeys = {
  texts: new Set(TEXTS),
  idle: new Set(['id', 'system_fingerprint', ...PADDINGS]),
};

/**
 * Whether each stream has such an event: of its role, of a finish reason, or of its usage. One that brings nothing but
 * another piece of text has its own way to be known; one with anything but texts is read.
 */
export function recurs({ choices, usage }: JsonObject): boolean {
  if (!isArray(choices)) return false;
  if (choices.length === 0) return isObject(usage);
  const [choice] = choices;
  if (choices.length > 1 || !isObject(choice) || !isObject(choice['delta'])) return false;
  const texts = Object.entries(choice['delta']).filter(([, value]) => value !== null);
  if (texts.some(([, value]) => typeof value !== 'string')) return false;
  return texts.some(([key]) => key === 'role') || Boolean(choice['finish_reason']) || !hasContent(choice['delta']);
}

/** Whether a delta brings content, as the commit point, waits and latencies mean it. */
export function hasContent(delta: unknown): boolean {
  if (!isObject(delta)) return false;
  for (const key of TEXTS) {
    const text = delta[key];
    // Mistral gives lists of parts.
    if ((typeof text === 'string' || isArray(text)) && text.length > 0) return true;
  }
  for (const key of LISTS) {
    const list = delta[key];
    if (isArray(list) && list.length > 0) return true;
  }
  const { audio } = delta;
  return isObject(delta['function_call']) || (isObject(audio) && Boolean(audio['data'] || audio['transcript']));
}

/** Whether it is of the first answer, and has no tool call or piece of one. */
export function isFirstText(choice: unknown): boolean {
  if (!isObject(choice) || (choice['index'] ?? 0) !== 0) return false;
  const calls = objectOf(choice['delta'])?.['tool_calls'];
  return !isArray(calls) || calls.length === 0;
}

/**
 * Where the text stands that a chunk brings, if that is all it brings: events with another text in this place are like
 * it. Undefined: it is not the kind of event that comes again.
 */
export function contentGaps(chunk: JsonObject, event: Buffer): readonly Gap[] | undefined {
  const { choices, usage } = chunk;
  if (!isArray(choices) || choices.length !== 1 || isObject(usage)) return undefined;
  const [choice] = choices;
  if (!isObject(choice) || choice['finish_reason'] || !isObject(choice['delta'])) return undefined;
  const found = onlyText(choice['delta']);
  if (found === undefined) return undefined;
  const padding = PADDINGS.find((key) => typeof chunk[key] === 'string');
  const text = ['text', found.key, found.text] as const;
  return gapsOf(event, padding === undefined ? [text] : [text, ['padding', padding, chunk[padding]]]);
}

/** The one text that is not empty, or the further arguments of one tool call. */
function onlyText(delta: JsonObject): { key: string; text: string } | undefined {
  let found: { key: string; text: string } | undefined;
  for (const key of TEXTS) {
    const text = delta[key];
    if (typeof text !== 'string') {
      if (isArray(text)) return undefined;
    } else if (text !== '') {
      if (found !== undefined) return undefined;
      found = { key, text };
    }
  }
  const calls = delta['tool_calls'];
  if (!isArray(calls) || calls.length === 0) return found;
  const [call] = calls;
  if (found !== undefined || calls.length > 1 || !isObject(call) || call['id'] || !isObject(call['function'])) {
    return undefined;
  }
  const { name, arguments: text } = call['function'];
  return typeof text === 'string' && text !== '' && !name ? { key: 'arguments', text } : undefined;
}
