import { randomBytes } from 'node:crypto';
import { isArray, isObject, parseObject, stringOf } from '../codec/json-value.ts';
import type { ConversationState } from '../dialects/dialect.ts';
import type { AddedBy, ConversationItem } from '../store/conversations.ts';
import type { ResponseRows } from './response-rows.ts';

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

/** One turn, and where its answer goes. */
export interface Turn {
  readonly owner: string;
  readonly state: ConversationState;
  /** Its answer can be asked for later. */
  readonly stores: boolean;
  /** JSON of a list: the items of this turn. */
  readonly items: string;
  /** JSON of a list: those before it. */
  readonly earlier: string;
}

/** What was asked and answered; nothing where the turn is in no conversation. */
export async function addToConversation(
  { owner, state: { conversationId }, items }: Pick<Turn, 'owner' | 'state' | 'items'>,
  output: unknown,
  by: AddedBy,
  rows: ResponseRows,
  keepMs: number,
): Promise<void> {
  if (conversationId === undefined) return;
  const asked = parseObject(`{"items":${items}}`)?.['items'];
  const added = [...conversationItems(asked), ...conversationItems(output)];
  await rows.conversations.add({ owner, id: conversationId }, added, Date.now() + keepMs, by);
}
