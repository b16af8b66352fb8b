import type { Kysely, Selectable } from 'kysely';
import { isArray, parseObject } from '../codec/json-value.ts';
import type { Database } from './database.ts';
import { storableText } from './storable-text.ts';
import type { ResponsesTable } from './tables/response-tables.ts';
import type { Tables } from './tables.ts';

/** An answer that is kept. Times in milliseconds since the Unix epoch. */
export interface KeptResponse {
  readonly owner: string;
  readonly id: string;
  readonly target: string;
  readonly atProvider: boolean;
  /** It passed from a provider of this form, which may know it under another id. */
  readonly passed: boolean;
  readonly previousId: string | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly input: string;
  readonly response: string;
  readonly conversationId: string | undefined;
  /** See the table. */
  readonly leaseUntil: number | undefined;
}

/** What a turn goes on from. */
export interface KeptChain {
  /** The target of its last answer. */
  readonly target: string;
  /** Its provider goes on from it by its id. */
  readonly atProvider: boolean;
  /** It passed from a provider of this form, which takes back what it made. */
  readonly passed: boolean;
  /** JSON: a list of all items before the turn, answers included, the oldest first. */
  readonly items: string;
}

/** Turns of one conversation; of a longer one nothing is told. */
const MAX_TURNS = 1_000;

export async function insertResponse({ query }: Pick<Database, 'query'>, kept: KeptResponse): Promise<void> {
  const row: ResponsesTable = {
    owner: kept.owner,
    id: kept.id,
    target: kept.target,
    at_provider: providerKnows(kept),
    previous_id: kept.previousId ?? null,
    created_at: kept.createdAt,
    expires_at: kept.expiresAt,
    input: storableText(kept.input),
    response: storableText(kept.response),
    conversation_id: kept.conversationId ?? null,
    lease_until: kept.leaseUntil ?? null,
  };
  await query
    .insertInto('responses')
    .values(row)
    .onConflict((conflict) => conflict.columns(['owner', 'id']).doNothing())
    .execute();
}

/** Undefined: this owner has none of this id. */
export async function findResponse(
  { query }: Pick<Database, 'query'>,
  id: string,
  owner: string,
  now: number,
): Promise<KeptResponse | undefined> {
  const row = await query
    .selectFrom('responses')
    .selectAll()
    .where('owner', '=', owner)
    .where('id', '=', id)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row && keptOf(row);
}

function keptOf(row: Selectable<ResponsesTable>): KeptResponse {
  return {
    owner: row.owner,
    id: row.id,
    target: row.target,
    atProvider: row.at_provider === 1,
    passed: row.at_provider > 0,
    previousId: row.previous_id ?? undefined,
    createdAt: Number(row.created_at),
    expiresAt: Number(row.expires_at),
    input: row.input,
    response: row.response,
    conversationId: row.conversation_id ?? undefined,
    leaseUntil: row.lease_until === null ? undefined : Number(row.lease_until),
  };
}

export function providerKnows({ atProvider, passed }: Pick<KeptResponse, 'atProvider' | 'passed'>): number {
  if (atProvider) return 1;
  return passed ? 2 : 0;
}

/**
 * Undefined: the answer, or one before it, is not there. `too-long`: its items have more than `maxBytes`. `not-ended`: it is
 * still being made. `in-conversation`: what was before it stands there.
 */
export async function findChain(
  database: Pick<Database, 'query'>,
  id: string,
  owner: string,
  now: number,
  maxBytes: number,
): Promise<KeptChain | 'too-long' | 'not-ended' | 'in-conversation' | undefined> {
  const turns: string[] = [];
  let bytes = 0;
  let last: KeptResponse | undefined;
  for (let next: string | undefined = id; next !== undefined; ) {
    const kept: KeptResponse | undefined = await findResponse(database, next, owner, now);
    if (kept === undefined) return undefined;
    if (kept.leaseUntil !== undefined) return 'not-ended';
    if (kept.conversationId !== undefined) return 'in-conversation';
    last ??= kept;
    const output = parseObject(kept.response)?.['output'];
    for (const items of [isArray(output) ? JSON.stringify(output) : '[]', kept.input]) {
      const inner = items.slice(1, -1);
      if (inner !== '') turns.push(inner);
      bytes += Buffer.byteLength(inner) + 1;
    }
    if (bytes > maxBytes || turns.length > 2 * MAX_TURNS) return 'too-long';
    next = kept.previousId;
  }
  return (
    last && {
      target: last.target,
      atProvider: last.atProvider,
      passed: last.passed,
      items: `[${turns.reverse().join(',')}]`,
    }
  );
}

/** False: there was none. */
export async function deleteResponse({ query }: Pick<Database, 'query'>, id: string, owner: string): Promise<boolean> {
  await query.deleteFrom('response_events').where('owner', '=', owner).where('response_id', '=', id).execute();
  const { numDeletedRows } = await query
    .deleteFrom('responses')
    .where('owner', '=', owner)
    .where('id', '=', id)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function deleteExpiredResponses({ query }: Pick<Database, 'query'>, now: number): Promise<void> {
  await query.deleteFrom('responses').where('expires_at', '<=', now).execute();
  await query.deleteFrom('response_events').where('expires_at', '<=', now).execute();
}

export async function eraseResponsesOf(query: Kysely<Tables>, owner: string): Promise<void> {
  await query.deleteFrom('responses').where('owner', '=', owner).execute();
  await query.deleteFrom('response_events').where('owner', '=', owner).execute();
}
