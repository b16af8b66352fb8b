import { isObject, parseObject } from '../codec/json-value.ts';
import type { Database } from './database.ts';
import { findResponse, type KeptResponse, providerKnows } from './responses.ts';
import { storableText } from './storable-text.ts';

/** Which answer is meant. */
export interface ResponseKey {
  readonly owner: string;
  readonly id: string;
}

/** What became of an answer that is made in the background, since this was told last. */
export interface ResponseProgress extends ResponseKey {
  /** JSON: the answer as it is now; undefined: as before. */
  readonly response: string | undefined;
  readonly events: EventsPiece | undefined;
  /** With its last answer. */
  readonly ended: Pick<KeptResponse, 'target' | 'atProvider' | 'passed'> | undefined;
}

export interface EventsPiece {
  readonly first: number;
  readonly last: number;
  readonly text: string;
  readonly expiresAt: number;
}

/** Given at once, of the events that are kept. */
const EVENT_PIECES = 16;
/** Marked at once, so that no transaction is long. */
const ABANDONED_PAGE = 100;
const ABANDONED = { code: 'server_error', message: 'The gateway that made this response stopped before its end.' };

/** False: it is no longer wanted, since it was cancelled or deleted. */
export function advanceResponse(database: Database, progress: ResponseProgress): Promise<boolean> {
  const { owner, id, response, events, ended } = progress;
  return database.write(async ({ query }) => {
    const running = await query
      .selectFrom('responses')
      .select('id')
      .where('owner', '=', owner)
      .where('id', '=', id)
      .where('lease_until', 'is not', null)
      .executeTakeFirst();
    if (running === undefined) return false;
    if (events) {
      const { first, last, text, expiresAt } = events;
      const row = { owner, response_id: id, first_number: first, last_number: last, expires_at: expiresAt };
      await query
        .insertInto('response_events')
        .values({ ...row, events: storableText(text) })
        .onConflict((conflict) => conflict.columns(['owner', 'response_id', 'first_number']).doNothing())
        .execute();
    }
    if (response === undefined && ended === undefined) return true;
    await query
      .updateTable('responses')
      .set({
        ...(response === undefined ? {} : { response: storableText(response) }),
        ...(ended && { lease_until: null, target: ended.target, at_provider: providerKnows(ended) }),
      })
      .where('owner', '=', owner)
      .where('id', '=', id)
      .where('lease_until', 'is not', null)
      .execute();
    return true;
  });
}

/** Those of them that are still wanted; their leases are put off. */
export function renewResponses(
  database: Database,
  keys: readonly ResponseKey[],
  leaseUntil: number,
): Promise<ResponseKey[]> {
  return database.write(async ({ query }) => {
    const ids = keys.map(({ id }) => id);
    const wanted = await query
      .selectFrom('responses')
      .select(['owner', 'id'])
      .where('id', 'in', ids)
      .where('lease_until', 'is not', null)
      .execute();
    const owned = wanted.filter((row) => keys.some(({ owner, id }) => owner === row.owner && id === row.id));
    for (const { owner, id } of owned) {
      await query
        .updateTable('responses')
        .set({ lease_until: leaseUntil })
        .where('owner', '=', owner)
        .where('id', '=', id)
        .where('lease_until', 'is not', null)
        .execute();
    }
    return owned;
  });
}

/** Undefined: there is none. `not-background`: somebody waits for it, or did. One that has ended stays as it is. */
export async function cancelResponse(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ResponseKey,
  now: number,
): Promise<KeptResponse | 'not-background' | undefined> {
  const kept = await findResponse({ query }, id, owner, now);
  if (kept === undefined) return undefined;
  const response = parseObject(kept.response);
  if (response?.['background'] !== true) return 'not-background';
  if (kept.leaseUntil === undefined) return kept;
  const cancelled = JSON.stringify({ ...response, status: 'cancelled' });
  await query
    .updateTable('responses')
    .set({ response: storableText(cancelled), lease_until: null })
    .where('owner', '=', owner)
    .where('id', '=', id)
    .where('lease_until', 'is not', null)
    .execute();
  // Whatever ended it first is what stands.
  return findResponse({ query }, id, owner, now);
}

/** Answers whose gateway has not been heard of are failed. Resolves to how many there were. */
export async function failAbandoned({ query }: Pick<Database, 'query'>, now: number): Promise<number> {
  const rows = await query
    .selectFrom('responses')
    .select(['owner', 'id', 'response', 'lease_until'])
    .where('lease_until', '<', now)
    .limit(ABANDONED_PAGE)
    .execute();
  for (const { owner, id, response, lease_until } of rows) {
    const value = parseObject(response);
    const failed = { ...(isObject(value) ? value : { id, object: 'response' }), status: 'failed', error: ABANDONED };
    await query
      .updateTable('responses')
      .set({ response: JSON.stringify(failed), lease_until: null })
      .where('owner', '=', owner)
      .where('id', '=', id)
      .where('lease_until', '=', lease_until)
      .execute();
  }
  return rows.length;
}

export interface KeptEvents {
  /** Those behind the one that was asked for, and a few before it: pieces are given whole. */
  readonly text: string;
  /** Number of the last of them. */
  readonly last: number;
}

/** The next ones behind number `after`; undefined: none. */
export async function eventsAfter(
  { query }: Pick<Database, 'query'>,
  { owner, id }: ResponseKey,
  after: number,
  now: number,
): Promise<KeptEvents | undefined> {
  const rows = await query
    .selectFrom('response_events')
    .select(['events', 'last_number'])
    .where('owner', '=', owner)
    .where('response_id', '=', id)
    .where('last_number', '>', after)
    .where('expires_at', '>', now)
    .orderBy('first_number')
    .limit(EVENT_PIECES)
    .execute();
  const last = rows.at(-1);
  return last && { text: rows.map(({ events }) => events).join(''), last: last.last_number };
}
