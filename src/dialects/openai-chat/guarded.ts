import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import {
  type GuardedEvent,
  type GuardedForm,
  hasTokens,
  NO_WORDS,
  quotesBelow,
  slotAt,
  slotsBelow,
  type TextSlot,
} from '../guarded-form.ts';

/** Where the words of a chat stand. https://platform.openai.com/docs/api-reference/chat/object */
export const guarded: GuardedForm = {
  request({ messages, prediction }) {
    const slots: TextSlot[] = [];
    if (isArray(messages)) for (const message of messages) if (isObject(message)) ofMessage(message, slots);
    quotesBelow(prediction, 'content', { kind: 'text', role: 'assistant' }, slots);
    return slots;
  },
  answer(body) {
    const slots: TextSlot[] = [];
    const { choices } = body;
    if (isArray(choices)) {
      for (const choice of choices) {
        if (isObject(choice) && isObject(choice['message'])) ofTold(choice['message'], choice, '', slots);
      }
    }
    ofSearch(body, slots);
    return slots;
  },
  stream: () => ({ read }),
};

const REASONING = ['reasoning_content', 'reasoning', 'thinking'];
/** What an answer quotes, beside its words: in a message, and what some providers tell beside all messages. */
const QUOTES = ['annotations', 'citations'];
const SEARCH = ['citations', 'search_results', 'related_questions'];

function ofMessage(message: JsonObject, slots: TextSlot[]): void {
  const role = typeof message['role'] === 'string' ? message['role'] : 'user';
  if (isArray(message['content'])) {
    for (const part of message['content'])
      for (const key of ['text', 'refusal']) add(slots, slotAt(part, key, { kind: 'text', role }));
  } else add(slots, slotAt(message, 'content', { kind: 'text', role }));
  for (const key of REASONING) add(slots, slotAt(message, key, { kind: 'reasoning', role }));
  add(slots, slotAt(message, 'refusal', { kind: 'text', role }));
  ofDetails(message, () => ({ kind: 'reasoning', role }), slots);
  ofCalls(message['tool_calls'], (kind) => ({ kind, role }), slots);
  add(slots, slotAt(message['function_call'], 'arguments', { kind: 'arguments', role }));
}

/** Reads a message or a delta. `prefix`: that of the channels of a stream; empty: it is whole. */
function ofTold(told: JsonObject, choice: JsonObject, prefix: string, slots: TextSlot[]): void {
  const repeats = isObject(choice['logprobs'])
    ? { repeats: { holder: mutable(choice), key: 'logprobs', instead: null } }
    : undefined;
  const about = (kind: TextSlot['kind'], name: string) => ({
    kind,
    ...(prefix !== '' && { channel: `${prefix}${name}` }),
    ...repeats,
  });
  if (isArray(told['content'])) {
    for (const part of told['content']) {
      add(slots, slotAt(part, 'text', about('text', 'content')));
      if (isObject(part) && isArray(part['thinking'])) {
        for (const each of part['thinking']) add(slots, slotAt(each, 'text', about('reasoning', 'thinking')));
      }
    }
  } else add(slots, slotAt(told, 'content', about('text', 'content')));
  add(slots, slotAt(told, 'refusal', about('text', 'refusal')));
  for (const key of REASONING) add(slots, slotAt(told, key, about('reasoning', key)));
  ofDetails(told, (key) => about('reasoning', `part ${key}`), slots);
  add(slots, slotAt(told['audio'], 'transcript', about('text', 'transcript')));
  ofCalls(told['tool_calls'], (kind, index) => about(kind, `call ${index}`), slots);
  add(slots, slotAt(told['function_call'], 'arguments', about('arguments', 'function')));
  for (const key of QUOTES) quotesBelow(told, key, { kind: 'text' }, slots);
}

type About = Omit<TextSlot, 'holder' | 'key'>;

/** OpenRouter and our own translations tell the same thoughts a second time, in parts. */
function ofDetails(told: JsonObject, about: (key: string) => About, slots: TextSlot[]): void {
  const details = told['reasoning_details'] ?? told['thinking_blocks'];
  if (!isArray(details)) return;
  for (const part of details)
    for (const key of ['text', 'thinking', 'summary']) add(slots, slotAt(part, key, about(key)));
}

function ofCalls(calls: unknown, about: (kind: TextSlot['kind'], index: number) => About, slots: TextSlot[]): void {
  if (!isArray(calls)) return;
  for (const [at, call] of calls.entries()) {
    if (!isObject(call)) continue;
    const index = typeof call['index'] === 'number' ? call['index'] : at;
    add(slots, slotAt(call['function'], 'arguments', about('arguments', index)));
    add(slots, slotAt(call['custom'], 'input', about('text', index)));
    if (isObject(call['function']) && isObject(call['function']['arguments'])) {
      slotsBelow(call['function'], 'arguments', about('text', index), slots);
    }
  }
}

function ofSearch(answer: JsonObject, slots: TextSlot[]): void {
  for (const key of SEARCH) quotesBelow(answer, key, { kind: 'text' }, slots);
}

function read(event: JsonObject): GuardedEvent {
  const { choices, obfuscation } = event;
  const slots: TextSlot[] = [];
  let ends: string[] | undefined;
  let isStripped = false;
  if (isArray(choices)) {
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const prefix = `${scalarText(choice['index']) ?? 0} `;
      const { delta } = choice;
      const before = slots.length;
      if (isObject(delta)) ofTold(delta, choice, prefix, slots);
      // Some tell the whole message once more with the end.
      if (isObject(choice['message'])) ofTold(choice['message'], choice, '', slots);
      // Tokens without words are those of other events.
      if (slots.length === before && hasTokens(choice['logprobs'])) {
        mutable(choice)['logprobs'] = null;
        isStripped = true;
      }
      if (typeof choice['finish_reason'] === 'string') {
        ends ??= [];
        ends.push(prefix);
      }
    }
  }
  ofSearch(event, slots);
  if (ends === undefined && slots.length === 0 && !isStripped) return NO_WORDS;
  return { slots, ends: ends ?? [], meaningless: { padding: stringOf(obfuscation) }, isStripped };
}

function mutable(object: JsonObject): Record<string, unknown> {
  return object as Record<string, unknown>;
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
