import { isArray, isObject, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import { type GuardedEvent, quotesBelow, slotAt, slotsBelow, type TextSlot, wordsBelow } from '../guarded-form.ts';
import { isUnescaped, NO_PLACE, type RealtimeWords } from '../realtime-words.ts';

/** Keys, with their quotes, in both spellings that protocol buffers have as JSON. */
const SAID = keys('text', 'clientContent', 'client_content', 'setup', 'toolResponse', 'tool_response');
const HEARD = keys('text', 'toolCall', 'code', 'output', 'turnComplete', 'groundingMetadata');
const ANSWERS = keys('serverContent', 'toolCall');
const ENDS = keys('turnComplete', 'toolCall');

/** At these keys of a client's message no words of anybody stand: names, settings, media. */
const NO_WORDS_KEYS =
  /^(?:model|role|id|name|mimeType|mime_type|data|inlineData|inline_data|fileData|file_data|audio|video|mediaChunks|media_chunks|tools|generationConfig|generation_config|realtimeInputConfig|realtime_input_config|sessionResumption|session_resumption|thoughtSignature|thought_signature)$/;

/** https://ai.google.dev/api/live */
export const geminiLiveWords: RealtimeWords = {
  isQuiet: (said) => isUnescaped(said) && !SAID.some((key) => said.includes(key)),

  said(message) {
    const slots: TextSlot[] = [];
    const holder = message as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      const role = key === 'setup' ? 'system' : key.startsWith('tool') ? 'tool' : 'user';
      wordsBelow(holder, key, { kind: 'text', role }, slots, (each) => NO_WORDS_KEYS.test(each));
    }
    return slots;
  },

  tellsNothing: (heard) => isUnescaped(heard) && !HEARD.some((key) => heard.includes(key)),
  heard: read,

  placeOf(heard) {
    if (!ANSWERS.some((key) => heard.includes(key))) return NO_PLACE;
    const mayEnd = ENDS.some((key) => heard.includes(key));
    return mayEnd && isComplete(parseObject(heard.toString())) ? { answer: 'ends' } : { answer: 'goes on' };
  },

  answerOf: () => undefined,

  // Nobody can stop an answer but by the voice of whoever is speaking.
  cancel: () => undefined,
  emptied: (end) => end,
};

function keys(...names: readonly string[]): readonly Buffer[] {
  return names.map((name) => Buffer.from(`"${name}"`));
}

/** A model that calls a tool says nothing more before it has been answered. */
function isComplete(message: JsonObject | undefined): boolean {
  return objectOf(message?.['serverContent'])?.['turnComplete'] === true || message?.['toolCall'] !== undefined;
}

function read(message: JsonObject): GuardedEvent {
  const slots: TextSlot[] = [];
  const content = objectOf(message['serverContent']);
  const parts = objectOf(content?.['modelTurn'])?.['parts'];
  if (isArray(parts)) for (const part of parts) ofPart(part, slots);
  for (const key of ['outputTranscription', 'inputTranscription']) {
    const slot = slotAt(content?.[key], 'text', { kind: 'text', channel: `${key} ` });
    if (slot !== undefined) slots.push(slot);
  }
  quotesBelow(content, 'groundingMetadata', { kind: 'text' }, slots);
  const calls = objectOf(message['toolCall'])?.['functionCalls'];
  if (isArray(calls)) for (const call of calls) slotsBelow(call, 'args', { kind: 'text' }, slots);
  return { slots, ends: isComplete(message) ? EVERY_CHANNEL : [] };
}

/** The beginning of all their names. */
const EVERY_CHANNEL = [''];

function ofPart(part: unknown, slots: TextSlot[]): void {
  if (!isObject(part)) return;
  const thinks = part['thought'] === true;
  const slot = slotAt(part, 'text', {
    kind: thinks ? 'reasoning' : 'text',
    channel: thinks ? 'thoughts ' : 'text ',
  });
  if (slot !== undefined) slots.push(slot);
  for (const key of ['executableCode', 'codeExecutionResult']) quotesBelow(part, key, { kind: 'text' }, slots);
}
