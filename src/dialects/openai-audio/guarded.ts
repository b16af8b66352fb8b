import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { type GuardedEvent, type GuardedForm, NO_WORDS, slotAt, type TextSlot } from '../guarded-form.ts';

/** Where the words of a transcript stand. https://platform.openai.com/docs/api-reference/audio/verbose-json-object */
export const guardedTranscript: Pick<GuardedForm, 'answer' | 'stream' | 'isPlain'> = {
  answer(body) {
    const slots: TextSlot[] = [];
    add(slots, slotAt(body, 'text', { kind: 'text', ...repeatedIn(body, ['words', 'logprobs']) }));
    const { segments } = body;
    if (!isArray(segments)) return slots;
    for (const segment of segments) {
      if (!isObject(segment)) continue;
      const about = { kind: 'text', channel: 'segments', ...repeatedIn(segment, ['tokens']) } as const;
      add(slots, slotAt(segment, 'text', about));
    }
    return slots;
  },
  stream: () => ({ read }),
  // Captions and plain texts.
  isPlain: true,
};

/** https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event */
function read(event: JsonObject): GuardedEvent {
  const { type } = event;
  const repeats = repeatedIn(event, ['logprobs']);
  if (type === 'transcript.text.delta')
    return of(slotAt(event, 'delta', { kind: 'text', channel: 'text', ...repeats }));
  if (type === 'transcript.text.segment') return of(slotAt(event, 'text', { kind: 'text', channel: 'segments' }));
  if (type === 'transcript.text.done')
    return { ...of(slotAt(event, 'text', { kind: 'text', ...repeats })), ends: [''] };
  return NO_WORDS;
}

function of(slot: TextSlot | undefined): GuardedEvent {
  return slot === undefined ? NO_WORDS : { slots: [slot], ends: [] };
}

/** Words with their times, tokens and their chances tell the text once more. */
function repeatedIn(holder: JsonObject, keys: readonly string[]): Pick<TextSlot, 'repeats'> {
  const key = keys.find((each) => isArray(holder[each]));
  return key === undefined ? {} : { repeats: { holder: holder as Record<string, unknown>, key, instead: [] } };
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
