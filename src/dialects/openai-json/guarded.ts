import { isArray, isObject } from '../../codec/json-value.ts';
import { type GuardedForm, slotAt, type TextSlot } from '../guarded-form.ts';

/** Where requests of forms that generate no text have words: beside them stand images and numbers. */
const WORDS = ['input', 'prompt', 'query', 'documents', 'instructions'];
const BELOW = ['text', 'content'];

export const guarded: GuardedForm = {
  request(body) {
    const slots: TextSlot[] = [];
    for (const key of WORDS) slotsIn(body, key, slots);
    return slots;
  },
};

function slotsIn(holder: object, key: string | number, slots: TextSlot[]): void {
  const value: unknown = Reflect.get(holder, key);
  if (isArray(value)) for (const at of value.keys()) slotsIn(value, at, slots);
  else if (isObject(value)) for (const each of BELOW) slotsIn(value, each, slots);
  else {
    const slot = slotAt(holder, String(key), { kind: 'text', role: 'user' });
    if (slot !== undefined) slots.push(slot);
  }
}
