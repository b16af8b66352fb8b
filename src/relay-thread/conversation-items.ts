import { randomBytes } from 'node:crypto';
import { isArray, isObject, stringOf } from '../codec/json-value.ts';
import type { ConversationItem } from '../store/conversations.ts';

const MAX_ID_CHARACTERS = 128;

/** The objects of a list as items that are kept; those without an id are given one. */
export function conversationItems(list: unknown): ConversationItem[] {
  return (isArray(list) ? list : []).filter(isObject).map((value) => {
    const own = stringOf(value['id']);
    const isSane = own !== undefined && own !== '' && own.length <= MAX_ID_CHARACTERS;
    const prefix = value['type'] === undefined || value['type'] === 'message' ? 'msg' : 'item';
    const id = isSane ? own : `${prefix}_${randomBytes(16).toString('hex')}`;
    return { id, item: JSON.stringify(value) };
  });
}

/** As it is told: items that a client sends mostly lack type, id and parts. */
export function shownItem(item: unknown, id: string): Record<string, unknown> {
  const value = isObject(item) ? item : {};
  const type = stringOf(value['type']) ?? 'message';
  const { content, role } = value;
  const kind = role === 'assistant' ? 'output_text' : 'input_text';
  const parts = type === 'message' && typeof content === 'string' ? { content: [{ type: kind, text: content }] } : {};
  const status = type === 'message' ? { status: 'completed' } : {};
  return { ...status, ...value, type, id, ...parts };
}
