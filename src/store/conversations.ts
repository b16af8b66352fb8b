import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import type { KeptChain } from './responses.ts';
import { storableText } from './storable-text.ts';
import type { Tables } from './tables.ts';

/** Times in milliseconds since the Unix epoch. */
export interface Conversation {
  readonly owner: string;
  readonly id: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** JSON of an object. */
  readonly metadata: string;
}

export interface ConversationItem {
  readonly id: string;
  /** JSON, as it was given. */
  readonly item: string;
}

/** Which conversation is meant. */
export interface ConversationKey {
  readonly owner: string;
  readonly id: string;
}

/** The model that answered, where an answer is added. */
export interface AddedBy {
  readonly target: string;
  readonly passed: boolean;
}

export interface ItemsQuery extends ConversationKey {
  /** Id of the last item of the page before. */
  readonly after: string | undefined;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
}

/** The bound of one conversation; further ones are not added. */
export const MAX_CONVERSATION_ITEMS = 10_000;

export async function insertConversation(
  database: Database,
  conversation: Conversation,
  items: readonly ConversationItem[],
): Promise<void> {
  const { owner, id, createdAt, expiresAt, metadata } = conversation;
  await database.write(async ({ query }) => {
    await query
      .insertInto('conversations')
      .values({
        owner,
        id,
        created_at: createdAt,
        expires_at: expiresAt,
        next_position: items.length,
        target: '',
        passed: 1,
        metadata: storableText(metadata),
      })
      .execute();
    await insertItems(query, { owner, id }, items, 0);
  });
}

export async function findConversation(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ConversationKey,
  now: number,
): Promise<Conversation | undefined> {
  const row = await query
    .selectFrom('conversations')
    .select(['created_at', 'expires_at', 'metadata'])
    .where('owner', '=', owner)
    .where('id', '=', id)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return (
    row && {
      owner,
      id,
      createdAt: Number(row.created_at),
      expiresAt: Number(row.expires_at),
      metadata: row.metadata,
    }
  );
}

export async function updateConversation(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ConversationKey,
  metadata: string,
  now: number,
): Promise<Conversation | undefined> {
  await query
    .updateTable('conversations')
    .set({ metadata: storableText(metadata) })
    .where('owner', '=', owner)
    .where('id', '=', id)
    .execute();
  return findConversation({ query }, { owner, id }, now);
}

/** False: there was none. Its items go with it. */
export function deleteConversation(database: Database, { owner, id }: ConversationKey): Promise<boolean> {
  return database.write(async ({ query }) => {
    await query.deleteFrom('conversation_items').where('owner', '=', owner).where('conversation_id', '=', id).execute();
    const { numDeletedRows } = await query
      .deleteFrom('conversations')
      .where('owner', '=', owner)
      .where('id', '=', id)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

/** `absent`: there is no such conversation. `full`: it would have more than `MAX_CONVERSATION_ITEMS`. */
export function addItems(
  database: Database,
  { owner, id }: ConversationKey,
  items: readonly ConversationItem[],
  expiresAt: number,
  by?: AddedBy,
): Promise<'done' | 'absent' | 'full'> {
  return database.write(async ({ query }) => {
    // The row is taken first: whoever adds at the same moment waits for its number.
    const row = await query
      .updateTable('conversations')
      .set((each) => ({
        next_position: each('next_position', '+', items.length),
        expires_at: expiresAt,
      }))
      .where('owner', '=', owner)
      .where('id', '=', id)
      .where('next_position', '<=', MAX_CONVERSATION_ITEMS - items.length)
      .returning(['next_position', 'target', 'passed'])
      .executeTakeFirst();
    if (row === undefined) {
      return (await findConversation({ query }, { owner, id }, 0)) === undefined ? 'absent' : 'full';
    }
    await insertItems(query, { owner, id }, items, row.next_position - items.length);
    if (by) {
      const isSame = row.target === '' || accountOf(row.target) === accountOf(by.target);
      await query
        .updateTable('conversations')
        .set({ target: by.target, passed: row.passed === 1 && by.passed && isSame ? 1 : 0 })
        .where('owner', '=', owner)
        .where('id', '=', id)
        .execute();
    }
    return 'done';
  });
}

function accountOf(target: string): string {
  return target.slice(0, target.indexOf('/'));
}

async function insertItems(
  query: Kysely<Tables>,
  { owner, id }: ConversationKey,
  items: readonly ConversationItem[],
  from: number,
): Promise<void> {
  for (const [index, { id: itemId, item }] of items.entries()) {
    await query
      .insertInto('conversation_items')
      .values({ owner, conversation_id: id, position: from + index, id: itemId, item: storableText(item) })
      .execute();
  }
}

/** Undefined: there is no conversation, or no item `after`. One more than `limit`, where there are more. */
export async function pageOfItems(
  { query }: Pick<Database, 'query'>,
  { owner, id, after, order, limit }: ItemsQuery,
  now: number,
): Promise<ConversationItem[] | undefined> {
  if ((await findConversation({ query }, { owner, id }, now)) === undefined) return undefined;
  let items = itemsOf(query, { owner, id })
    .select(['id', 'item'])
    .orderBy('position', order)
    .limit(limit + 1);
  if (after !== undefined) {
    const last = await itemsOf(query, { owner, id }).select('position').where('id', '=', after).executeTakeFirst();
    if (last === undefined) return undefined;
    items = items.where('position', order === 'asc' ? '>' : '<', last.position);
  }
  return items.execute();
}

export async function findItem(
  { query }: Pick<Database, 'query'>,
  key: ConversationKey,
  itemId: string,
  now: number,
): Promise<ConversationItem | undefined> {
  if ((await findConversation({ query }, key, now)) === undefined) return undefined;
  return itemsOf(query, key).select(['id', 'item']).where('id', '=', itemId).executeTakeFirst();
}

/** The conversation that it was an item of; undefined: there was none. */
export async function deleteItem(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ConversationKey,
  itemId: string,
  now: number,
): Promise<Conversation | undefined> {
  const { numDeletedRows } = await query
    .deleteFrom('conversation_items')
    .where('owner', '=', owner)
    .where('conversation_id', '=', id)
    .where('id', '=', itemId)
    .executeTakeFirst();
  return numDeletedRows > 0n ? findConversation({ query }, { owner, id }, now) : undefined;
}

/** All of its items, the oldest first; `too-long`: they have more than `maxBytes`. */
export async function conversationChain(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ConversationKey,
  now: number,
  maxBytes: number,
): Promise<KeptChain | 'too-long' | undefined> {
  const row = await query
    .selectFrom('conversations')
    .select(['target', 'passed'])
    .where('owner', '=', owner)
    .where('id', '=', id)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const items: string[] = [];
  let bytes = 0;
  for (let next = -1; ; ) {
    const page = await itemsOf(query, { owner, id })
      .select(['position', 'item'])
      .where('position', '>', next)
      .orderBy('position')
      .limit(ITEMS_PAGE)
      .execute();
    for (const { item } of page) {
      items.push(item);
      bytes += Buffer.byteLength(item) + 1;
    }
    if (bytes > maxBytes) return 'too-long';
    const last = page.at(-1);
    if (last === undefined || page.length < ITEMS_PAGE) break;
    next = last.position;
  }
  return { target: row.target, atProvider: false, passed: row.passed === 1, items: `[${items.join(',')}]` };
}

const ITEMS_PAGE = 500;

function itemsOf(query: Kysely<Tables>, { owner, id }: ConversationKey) {
  return query.selectFrom('conversation_items').where('owner', '=', owner).where('conversation_id', '=', id);
}

export async function deleteExpiredConversations({ query }: Pick<Database, 'query'>, now: number): Promise<void> {
  await query
    .deleteFrom('conversation_items')
    .where((each) =>
      each.exists(
        each
          .selectFrom('conversations')
          .select('conversations.id')
          .whereRef('conversations.owner', '=', 'conversation_items.owner')
          .whereRef('conversations.id', '=', 'conversation_items.conversation_id')
          .where('conversations.expires_at', '<=', now),
      ),
    )
    .execute();
  await query.deleteFrom('conversations').where('expires_at', '<=', now).execute();
}

export async function eraseConversationsOf(query: Kysely<Tables>, owner: string): Promise<void> {
  await query.deleteFrom('conversation_items').where('owner', '=', owner).execute();
  await query.deleteFrom('conversations').where('owner', '=', owner).execute();
}
