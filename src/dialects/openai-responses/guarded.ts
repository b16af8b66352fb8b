import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import {
  type GuardedEvent,
  type GuardedForm,
  hasTokens,
  NO_WORDS,
  quotesBelow,
  slotAt,
  type TextKind,
  type TextSlot,
} from '../guarded-form.ts';
import { openedSummary } from './carried-proofs.ts';

/** Where the words of a response stand. https://platform.openai.com/docs/api-reference/responses/object */
export const guarded: GuardedForm = {
  request(body) {
    const slots: TextSlot[] = [];
    add(slots, slotAt(body, 'instructions', { kind: 'text', role: 'system' }));
    add(slots, slotAt(body, 'input', { kind: 'text', role: 'user' }));
    if (isArray(body['input'])) for (const item of body['input']) ofItem(item, slots, 'asked');
    quotesBelow(body['prompt'], 'variables', { kind: 'text', role: 'user' }, slots);
    return slots;
  },
  answer(body) {
    const slots: TextSlot[] = [];
    ofOutput(body, slots);
    return slots;
  },
  stream: () => ({ read }),
};

function ofOutput(response: JsonObject, slots: TextSlot[]): void {
  const { output } = response;
  if (isArray(output)) for (const item of output) ofItem(item, slots, 'answered');
  // Some tell all of the text once more.
  add(slots, slotAt(response, 'output_text', { kind: 'text' }));
}

/** What tools of the provider's were told and found. */
const TOLD_TO_TOOLS = ['action', 'operation', 'queries', 'results', 'outputs', 'error'];

function ofItem(item: unknown, slots: TextSlot[], side: 'asked' | 'answered'): void {
  if (!isObject(item)) return;
  const role = typeof item['role'] === 'string' ? item['role'] : item['type'] === undefined ? 'user' : 'tool';
  const about = side === 'asked' ? { role } : {};
  const thinks = item['type'] === 'reasoning';
  for (const key of ['content', 'summary', 'output']) {
    const parts = item[key];
    if (isArray(parts)) {
      for (const part of parts)
        ofPart(part, thinks ? 'reasoning' : 'text', { ...about, ...sealed(item, thinks) }, slots);
    } else add(slots, slotAt(item, key, { kind: 'text', ...about }));
  }
  for (const key of TOLD_TO_TOOLS) quotesBelow(item, key, { kind: 'text', ...about }, slots);
  // A model is told what it carries, so that guards read it; a provider's own is sealed.
  if (item['type'] === 'compaction') {
    add(slots, slotAt(openedSummary(item as Record<string, unknown>), 'summary', { kind: 'text', ...about }));
  }
  add(slots, slotAt(item, 'arguments', { kind: 'arguments', ...about }));
  add(slots, slotAt(item, 'input', { kind: 'text', ...about }));
  add(slots, slotAt(item, 'code', { kind: 'text', ...about }));
}

function ofPart(part: unknown, kind: TextKind, about: Pick<TextSlot, 'role' | 'repeats'>, slots: TextSlot[]): void {
  if (!isObject(part)) return;
  add(slots, slotAt(part, 'text', { kind, ...about, ...repeated(part) }));
  add(slots, slotAt(part, 'refusal', { kind, ...about }));
  // What a shell command wrote, and what a text quotes.
  for (const key of ['stdout', 'stderr']) add(slots, slotAt(part, key, { kind, ...about }));
  quotesBelow(part, 'annotations', { kind: 'text', ...roleOf(about) }, slots);
}

function roleOf({ role }: Pick<TextSlot, 'role'>): Pick<TextSlot, 'role'> {
  return role === undefined ? {} : { role };
}

/** What was thought may stand there once more, sealed. */
function sealed(item: JsonObject, thinks: boolean): Pick<TextSlot, 'repeats'> {
  if (!thinks || typeof item['encrypted_content'] !== 'string') return {};
  return { repeats: { holder: item as Record<string, unknown>, key: 'encrypted_content', instead: null } };
}

/** Chances of tokens tell the words once more. */
function repeated(holder: JsonObject): Pick<TextSlot, 'repeats'> {
  if (!isArray(holder['logprobs']) || holder['logprobs'].length === 0) return {};
  return { repeats: { holder: holder as Record<string, unknown>, key: 'logprobs', instead: [] } };
}

const DELTA = '.delta';
const DONE = '.done';
/** What an event that closes a text repeats of it. */
const WHOLE_KEYS = ['text', 'refusal', 'arguments', 'input', 'code', 'transcript'];

function read(event: JsonObject): GuardedEvent {
  const { type } = event;
  if (typeof type !== 'string') return NO_WORDS;
  const slots: TextSlot[] = [];
  if (type.endsWith(DELTA)) {
    const channel = channelOf(event, type.slice(0, -DELTA.length));
    add(slots, slotAt(event, 'delta', { kind: kindOf(type), channel, ...repeated(event) }));
    if (slots.length === 0) return withoutTokens(event);
    const counter = event['sequence_number'] === undefined ? undefined : 'sequence_number';
    return { slots, ends: [], meaningless: { padding: stringOf(event['obfuscation']), counter } };
  }
  let ends: readonly string[] = [];
  if (type.endsWith(DONE)) {
    ends = [channelOf(event, type.slice(0, -DONE.length))];
    for (const key of WHOLE_KEYS) add(slots, slotAt(event, key, { kind: kindOf(type), ...repeated(event) }));
  }
  quotesBelow(event, 'annotation', { kind: 'text' }, slots);
  const { part, item, response } = event;
  ofPart(part, type.includes('reasoning') ? 'reasoning' : 'text', {}, slots);
  if (item !== undefined) ofItem(item, slots, 'answered');
  if (isObject(response)) ofOutput(response, slots);
  return { slots, ends };
}

function withoutTokens(event: JsonObject): GuardedEvent {
  if (!hasTokens(event['logprobs'])) return NO_WORDS;
  (event as Record<string, unknown>)['logprobs'] = [];
  return { ...NO_WORDS, isStripped: true };
}

function channelOf(
  { output_index: output, content_index: content, summary_index: summary }: JsonObject,
  name: string,
): string {
  return `${name} ${scalarText(output)} ${scalarText(content ?? summary) ?? 0} `;
}

function kindOf(type: string): TextKind {
  if (type.includes('arguments')) return 'arguments';
  return type.includes('reasoning') ? 'reasoning' : 'text';
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
