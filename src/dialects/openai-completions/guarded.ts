import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import {
  type GuardedEvent,
  type GuardedForm,
  hasTokens,
  NO_WORDS,
  slotAt,
  stringsBelow,
  type TextSlot,
} from '../guarded-form.ts';

/** Where the words of a completion stand. */
export const guarded: GuardedForm = {
  request(body) {
    const slots: TextSlot[] = [];
    for (const key of ['prompt', 'suffix']) stringsBelow(body, key, { kind: 'text', role: 'user' }, slots);
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
  const slots = slotsOf(choices, ({ index }) => `${scalarText(index) ?? 0} `);
  const ends: string[] = [];
  let isStripped = false;
  if (isArray(choices)) {
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      if (typeof choice['finish_reason'] === 'string') ends.push(`${scalarText(choice['index']) ?? 0} `);
      if (choice['text'] !== '' || !hasTokens(choice['logprobs'])) continue;
      (choice as Record<string, unknown>)['logprobs'] = null;
      isStripped = true;
    }
  }
  return slots.length > 0 || ends.length > 0 || isStripped ? { slots, ends, isStripped } : NO_WORDS;
}
