import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import { type GuardedEvent, type GuardedForm, NO_WORDS, slotAt, slotsBelow, type TextSlot } from '../guarded-form.ts';

/** Where the words of a chat stand. https://platform.openai.com/docs/api-reference/chat/object */
export const guarded: GuardedForm = {
  request({ messages }) {
    const slots: TextSlot[] = [];
    if (isArray(messages)) for (const message of messages) if (isObject(message)) ofMessage(message, slots);
    return slots;
  },
  answer({ choices }) {
    const slots: TextSlot[] = [];
    if (!isArray(choices)) return slots;
    for (const choice of choices) {
      if (isObject(choice) && isObject(choice['message'])) ofTold(choice['message'], choice, '', slots);
    }
    return slots;
  },
  stream: () => ({ read }),
};

const REASONING = ['reasoning_content', 'reasoning', 'thinking'];

function ofMessage(message: JsonObject, slots: TextSlot[]): void {
  const role = typeof message['role'] === 'string' ? message['role'] : 'user';
  if (isArray(message['content'])) {
    for (const part of message['content']) add(slots, slotAt(part, 'text', { kind: 'text', role }));
  } else add(slots, slotAt(message, 'content', { kind: 'text', role }));
  for (const key of REASONING) add(slots, slotAt(message, key, { kind: 'reasoning', role }));
  add(slots, slotAt(message, 'refusal', { kind: 'text', role }));
  ofCalls(message['tool_calls'], role, undefined, slots);
  add(slots, slotAt(message['function_call'], 'arguments', { kind: 'arguments', role }));
}

/** Of a message or a delta. `prefix`: of the channels of a stream; empty: it is whole. */
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
  // OpenRouter and our own translations tell the same thoughts a second time, in parts.
  const details = told['reasoning_details'] ?? told['thinking_blocks'];
  if (isArray(details)) {
    for (const part of details) {
      for (const key of ['text', 'thinking', 'summary'])
        add(slots, slotAt(part, key, about('reasoning', `part ${key}`)));
    }
  }
  add(slots, slotAt(told['audio'], 'transcript', about('text', 'transcript')));
  const calls = told['tool_calls'];
  if (isArray(calls)) ofCalls(calls, undefined, prefix === '' ? undefined : prefix, slots);
  add(slots, slotAt(told['function_call'], 'arguments', about('arguments', 'function')));
}

function ofCalls(calls: unknown, role: string | undefined, prefix: string | undefined, slots: TextSlot[]): void {
  if (!isArray(calls)) return;
  for (const [at, call] of calls.entries()) {
    if (!isObject(call)) continue;
    const index = typeof call['index'] === 'number' ? call['index'] : at;
    const about = (kind: TextSlot['kind']) => ({
      kind,
      ...(role !== undefined && { role }),
      ...(prefix !== undefined && { channel: `${prefix}call ${index}` }),
    });
    add(slots, slotAt(call['function'], 'arguments', about('arguments')));
    add(slots, slotAt(call['custom'], 'input', about('text')));
    if (isObject(call['function']) && isObject(call['function']['arguments'])) {
      slotsBelow(call['function'], 'arguments', about('text'), slots);
    }
  }
}

function read({ choices, obfuscation }: JsonObject): GuardedEvent {
  if (!isArray(choices) || choices.length === 0) return NO_WORDS;
  const slots: TextSlot[] = [];
  let ends: string[] | undefined;
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const prefix = `${String(choice['index'] ?? 0)} `;
    const { delta } = choice;
    if (isObject(delta)) ofTold(delta, choice, prefix, slots);
    // Some tell the whole message once more with the end.
    if (isObject(choice['message'])) ofTold(choice['message'], choice, '', slots);
    if (typeof choice['finish_reason'] === 'string') {
      ends ??= [];
      ends.push(prefix);
    }
  }
  if (ends === undefined && slots.length === 0) return NO_WORDS;
  return { slots, ends: ends ?? [], meaningless: { padding: stringOf(obfuscation) } };
}

function mutable(object: JsonObject): Record<string, unknown> {
  return object as Record<string, unknown>;
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
