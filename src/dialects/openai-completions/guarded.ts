import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { type GuardedEvent, type GuardedForm, NO_WORDS, slotAt, slotsBelow, type TextSlot } from '../guarded-form.ts';

/** Where the words of a completion stand. */
export const guarded: GuardedForm = {
  request(body) {
    const slots: TextSlot[] = [];
    for (const key of ['prompt', 'suffix']) slotsBelow(body, key, { kind: 'text', role: 'user' }, slots);
    return slots;
  },
  answer: ({ choices }) => slotsOf(choices, () => undefined),
  stream: () => ({ read }),
};

function slotsOf(choices: unknown, channelOf: (choice: JsonObject) => string | undefined): TextSlot[] {
  if (!isArray(choices)) return [];
  return choices.flatMap((choice) => {
    if (!isObject(choice)) return [];
    const channel = channelOf(choice);
    const repeats = isObject(choice['logprobs'])
      ? { repeats: { holder: choice as Record<string, unknown>, key: 'logprobs', instead: null } }
      : {};
    return slotAt(choice, 'text', { kind: 'text', ...(channel !== undefined && { channel }), ...repeats }) ?? [];
  });
}

function read({ choices }: JsonObject): GuardedEvent {
  const slots = slotsOf(choices, ({ index }) => `${String(index ?? 0)} `);
  const over = isArray(choices)
    ? choices.filter((each) => isObject(each) && typeof each['finish_reason'] === 'string')
    : [];
  if (slots.length === 0 && over.length === 0) return NO_WORDS;
  return { slots, ends: over.map((each) => `${String(isObject(each) ? (each['index'] ?? 0) : 0)} `) };
}
