import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import {
  type GuardedEvent,
  hasTokens,
  NO_WORDS,
  quotesBelow,
  slotAt,
  stringsBelow,
  type TextKind,
  type TextSlot,
} from '../guarded-form.ts';
import { type HeardPlace, isUnescaped, NO_PLACE, type RealtimeWords } from '../realtime-words.ts';

const TYPE_KEY = Buffer.from('"type"');
const TYPE = /"type"\s*:\s*"([\w.]{1,100})"/;
const HEAD_BYTES = 240;

/** Events of clients that hold no words. */
const QUIET_SAID =
  /^(?:input_audio_buffer\.\w+|output_audio_buffer\.\w+|response\.cancel|conversation\.item\.(?:delete|retrieve|truncate))$/;
/** The same of providers. Sessions as they are now repeat what the client said of them. */
const QUIET_HEARD =
  /^(?:response\.(?:output_)?audio\.(?:delta|done)|input_audio_buffer\.\w+|output_audio_buffer\.\w+|rate_limits\.updated|(?:transcription_)?session\.(?:created|updated)|conversation\.(?:created|item\.(?:deleted|truncated)))$/;

const TRANSCRIPTION = 'conversation.item.input_audio_transcription.';
const DELTA = '.delta';
const DONE = '.done';
/** What an event that closes a text repeats of it. */
const WHOLE_KEYS = ['text', 'transcript', 'arguments', 'refusal'];

/** https://platform.openai.com/docs/api-reference/realtime-client-events, …/realtime-server-events */
export const openAiRealtimeWords: RealtimeWords = {
  isQuiet: (said) => isOnly(said, QUIET_SAID),

  said(message) {
    const slots: TextSlot[] = [];
    const { type, item, response, session } = message;
    if (type === 'conversation.item.create') ofItem(item, slots, 'asked');
    else if (type === 'response.create') ofResponse(response, slots);
    else if (type === 'session.update' || type === 'transcription_session.update') ofSession(session, slots);
    else if (!QUIET_SAID.test(String(type))) quotesBelow({ message }, 'message', { kind: 'text', role: 'user' }, slots);
    return slots;
  },

  tellsNothing: (heard) => isOnly(heard, QUIET_HEARD),
  heard: read,

  placeOf(heard) {
    const only = onlyType(heard);
    if (only !== undefined && !only.startsWith('response.') && !only.startsWith(TRANSCRIPTION)) return NO_PLACE;
    if (only !== undefined && (only.endsWith(DELTA) || only.endsWith(DONE)) && /^response\.\w+\.\w+$/.test(only))
      return GOES_ON;
    return placeOf(parseObject(heard.toString()) ?? {});
  },

  answerOf: (heard) => stringOf(parseObject(heard.toString())?.['response_id']),

  cancel: (id) => JSON.stringify({ type: 'response.cancel', ...(id !== undefined && { response_id: id }) }),

  emptied(end) {
    const message = parseObject(end.toString()) ?? {};
    const { id, object, conversation_id, output_modalities, usage } = objectOf(message['response']) ?? {};
    const status = { status: 'incomplete', status_details: { type: 'incomplete', reason: 'content_filter' } };
    const response = { id, object, conversation_id, output_modalities, ...status, output: [], usage };
    return Buffer.from(JSON.stringify({ type: 'response.done', event_id: message['event_id'], response }));
  },
};

const GOES_ON: HeardPlace = { answer: 'goes on' };
const ITEM: HeardPlace = { answer: 'item' };

function placeOf(message: JsonObject): HeardPlace {
  const type = stringOf(message['type']) ?? '';
  if (type.startsWith(TRANSCRIPTION)) {
    const transcript = `${String(message['item_id'])} ${String(message['content_index'] ?? 0)}`;
    return { transcript, isWhole: !type.endsWith(DELTA) && !type.endsWith('.segment') };
  }
  const id = stringOf(objectOf(message['response'])?.['id']);
  if (type === 'response.created') return { answer: 'begins', id };
  if (type === 'response.done') return { answer: 'ends', id };
  if (type.startsWith('response.')) return GOES_ON;
  const { item } = message;
  return type.startsWith('conversation.item.') && isObject(item) && !isOfClient(item) ? ITEM : NO_PLACE;
}

/** The type of a message in which no other key or text can be taken for it; undefined: it is to be parsed. */
function onlyType(message: Buffer): string | undefined {
  const at = message.indexOf(TYPE_KEY);
  if (at < 0 || at > HEAD_BYTES || message.indexOf(TYPE_KEY, at + 1) >= 0 || !isUnescaped(message)) return undefined;
  return TYPE.exec(message.toString('latin1', at, at + HEAD_BYTES))?.[1];
}

function isOnly(message: Buffer, types: RegExp): boolean {
  const type = onlyType(message);
  return type !== undefined && types.test(type);
}

// ── what clients say ────────────────────────────────────────────────────────

function ofResponse(response: unknown, slots: TextSlot[]): void {
  if (!isObject(response)) return;
  ofInstructions(response, slots);
  if (isArray(response['input'])) for (const item of response['input']) ofItem(item, slots, 'asked');
}

function ofSession(session: unknown, slots: TextSlot[]): void {
  if (!isObject(session)) return;
  ofInstructions(session, slots);
  const input = objectOf(objectOf(session['audio'])?.['input']);
  for (const transcription of [input?.['transcription'], session['input_audio_transcription']]) {
    for (const key of ['prompt', 'keywords']) stringsBelow(transcription, key, { kind: 'text', role: 'system' }, slots);
  }
}

function ofInstructions(holder: JsonObject, slots: TextSlot[]): void {
  add(slots, slotAt(holder, 'instructions', { kind: 'text', role: 'system' }));
  quotesBelow(holder['prompt'], 'variables', { kind: 'text', role: 'user' }, slots);
}

// ── what both say ───────────────────────────────────────────────────────────

/** What tools of the provider's were told and found. */
const TOLD_TO_TOOLS = ['error', 'tools'];

function ofItem(item: unknown, slots: TextSlot[], side: 'asked' | 'answered'): void {
  if (!isObject(item)) return;
  const role = stringOf(item['role']) ?? (item['type'] === undefined ? 'user' : 'tool');
  const about = side === 'asked' ? { role } : {};
  const { content } = item;
  // What a provider repeats of its client's words is no answer; what it heard of its voice was not read before.
  const isRepeated = side === 'answered' && isOfClient(item);
  if (isArray(content)) for (const part of content) ofPart(part, isRepeated ? HEARD_KEYS : PART_KEYS, about, slots);
  else if (!isRepeated) add(slots, slotAt(item, 'content', { kind: 'text', ...about }));
  if (isRepeated) return;
  add(slots, slotAt(item, 'arguments', { kind: 'arguments', ...about }));
  for (const key of ['output', ...TOLD_TO_TOOLS]) quotesBelow(item, key, { kind: 'text', ...about }, slots);
}

function isOfClient({ type, role }: JsonObject): boolean {
  return role === 'user' || role === 'system' || type === 'function_call_output';
}

const PART_KEYS = ['text', 'transcript', 'refusal'];
const HEARD_KEYS = ['transcript'];

function ofPart(part: unknown, keys: readonly string[], about: { readonly role?: string }, slots: TextSlot[]): void {
  for (const key of keys) add(slots, slotAt(part, key, { kind: 'text', ...about }));
}

// ── what providers say ──────────────────────────────────────────────────────

function read(event: JsonObject): GuardedEvent {
  const type = stringOf(event['type']) ?? '';
  if (QUIET_HEARD.test(type)) return NO_WORDS;
  const slots: TextSlot[] = [];
  const channel = channelOf(event, type);
  if (type.endsWith(DELTA)) {
    add(slots, slotAt(event, 'delta', { kind: kindOf(type), channel, ...repeated(event) }));
    if (slots.length === 0) return withoutTokens(event);
    // No two events have the same id, and it says nothing.
    return { slots, ends: [], meaningless: { padding: stringOf(event['event_id']) } };
  }
  const isEnd = type.endsWith(DONE) || (type.startsWith(TRANSCRIPTION) && !type.endsWith('.segment'));
  for (const key of WHOLE_KEYS) add(slots, slotAt(event, key, { kind: kindOf(type), ...repeated(event) }));
  const { part, item, response } = event;
  ofPart(part, PART_KEYS, {}, slots);
  ofItem(item, slots, 'answered');
  const output = objectOf(response)?.['output'];
  if (isArray(output)) for (const each of output) ofItem(each, slots, 'answered');
  return { slots, ends: isEnd ? [channel] : [] };
}

/** One text: deltas and their end are told by names that differ in their last word alone. */
function channelOf(event: JsonObject, type: string): string {
  const { response_id: response, item_id: item, output_index: output, content_index: content } = event;
  const name = type.slice(0, type.lastIndexOf('.'));
  return `${name} ${String(response)} ${String(item)} ${String(output ?? 0)} ${String(content ?? 0)} `;
}

function kindOf(type: string): TextKind {
  return type.includes('arguments') ? 'arguments' : 'text';
}

/** Chances of tokens tell the words once more. */
function repeated(holder: JsonObject): Pick<TextSlot, 'repeats'> {
  if (!isArray(holder['logprobs']) || holder['logprobs'].length === 0) return {};
  return { repeats: { holder: holder as Record<string, unknown>, key: 'logprobs', instead: [] } };
}

function withoutTokens(event: JsonObject): GuardedEvent {
  if (!hasTokens(event['logprobs'])) return NO_WORDS;
  (event as Record<string, unknown>)['logprobs'] = [];
  return { ...NO_WORDS, isStripped: true };
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
