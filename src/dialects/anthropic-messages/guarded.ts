import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import {
  type GuardedEvent,
  type GuardedForm,
  NO_WORDS,
  quotesBelow,
  slotAt,
  slotsBelow,
  type TextSlot,
} from '../guarded-form.ts';

/** Where the words of a message stand. https://platform.claude.com/docs/en/api/messages */
export const guarded: GuardedForm = {
  request(request) {
    const slots: TextSlot[] = [];
    const { messages } = request;
    ofContent(request, 'system', 'system', slots);
    if (isArray(messages)) {
      for (const message of messages) {
        if (!isObject(message)) continue;
        const role = typeof message['role'] === 'string' ? message['role'] : 'user';
        ofContent(message, 'content', role, slots);
      }
    }
    return slots;
  },
  answer(body) {
    const slots: TextSlot[] = [];
    ofContent(body, 'content', undefined, slots);
    return slots;
  },
  stream: () => ({ read }),
};

function ofContent(holder: JsonObject, key: string, role: string | undefined, slots: TextSlot[]): void {
  const content = holder[key];
  const about = role === undefined ? {} : { role };
  if (isArray(content)) for (const block of content) ofBlock(block, role, slots);
  else add(slots, slotAt(holder, key, { kind: 'text', ...about }));
}

function ofBlock(block: unknown, role: string | undefined, slots: TextSlot[]): void {
  if (!isObject(block)) return;
  const about = role === undefined ? {} : { role };
  add(slots, slotAt(block, 'text', { kind: 'text', ...about }));
  add(slots, slotAt(block, 'thinking', { kind: 'reasoning', ...about }));
  quotesBelow(block, 'citations', { kind: 'text', ...about }, slots);
  ofFound(block, role, slots);
  for (const key of ['title', 'context']) add(slots, slotAt(block, key, { kind: 'text', ...about }));
  // A document as text, and the blocks of one; of a result of a search its address.
  const source = block['source'];
  if (isObject(source) && source['type'] === 'text') add(slots, slotAt(source, 'data', { kind: 'text', ...about }));
  else if (isObject(source) && source['type'] === 'content') ofContent(source, 'content', role, slots);
  else add(slots, slotAt(block, 'source', { kind: 'text', ...about }));
  slotsBelow(block, 'input', { kind: 'text', ...about }, slots);
}

/** What a tool found: in blocks, or as the provider's own tools tell it. */
function ofFound(block: JsonObject, role: string | undefined, slots: TextSlot[]): void {
  const { content, type } = block;
  const isBlocks = type === 'tool_result' || type === 'mcp_tool_result' || type === 'search_result';
  if (isBlocks || typeof content === 'string') ofContent(block, 'content', role, slots);
  else quotesBelow(block, 'content', { kind: 'text', ...(role !== undefined && { role }) }, slots);
}

function read({ type, index, delta, content_block: block, message }: JsonObject): GuardedEvent {
  const prefix = `${scalarText(index)} `;
  if (type === 'content_block_stop') return { slots: [], ends: [prefix] };
  const slots: TextSlot[] = [];
  if (type === 'content_block_start' && isObject(block)) {
    add(slots, slotAt(block, 'text', { kind: 'text', channel: `${prefix}text` }));
    add(slots, slotAt(block, 'thinking', { kind: 'reasoning', channel: `${prefix}thinking` }));
    slotsBelow(block, 'input', { kind: 'text' }, slots);
    quotesBelow(block, 'citations', { kind: 'text' }, slots);
    ofFound(block, undefined, slots);
  } else if (type === 'content_block_delta') {
    add(slots, slotAt(delta, 'text', { kind: 'text', channel: `${prefix}text` }));
    add(slots, slotAt(delta, 'thinking', { kind: 'reasoning', channel: `${prefix}thinking` }));
    add(slots, slotAt(delta, 'partial_json', { kind: 'arguments', channel: `${prefix}input` }));
    quotesBelow(delta, 'citation', { kind: 'text' }, slots);
  } else if (type === 'message_start' && isObject(message)) {
    ofContent(message, 'content', undefined, slots);
  }
  return slots.length > 0 ? { slots, ends: [] } : NO_WORDS;
}

function add(slots: TextSlot[], slot: TextSlot | undefined): void {
  if (slot !== undefined) slots.push(slot);
}
