import { type ApiKey, apiKeyOf, type KeyState } from './api-keys.ts';
import type { Database } from './database.ts';

export interface KeyFilter {
  readonly subject?: string;
  readonly state?: KeyState;
  /** Only keys made before it. */
  readonly createdBefore?: Date;
  /** Id of the last key of the page before. */
  readonly after?: string;
  readonly limit: number;
}

/** Oldest first; `undefined`: there is no key `after`. */
export async function pageOfKeys(database: Database, filter: KeyFilter, now: Date): Promise<ApiKey[] | undefined> {
  const at = now.toISOString();
  let query = database.query.selectFrom('api_keys').selectAll();
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
  if (filter.createdBefore !== undefined) query = query.where('created_at', '<', filter.createdBefore.toISOString());
  if (filter.state === 'revoked') query = query.where('revoked_at', '<=', at);
  else if (filter.state !== undefined) {
    query = query.where((where) => where.or([where('revoked_at', 'is', null), where('revoked_at', '>', at)]));
    if (filter.state === 'expired') query = query.where('expires_at', '<=', at);
    else {
      query = query
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', at)]))
        .where('revoked_at', filter.state === 'active' ? 'is' : 'is not', null);
    }
  }
  if (filter.after !== undefined) {
    const { after } = filter;
    const last = await database.query
      .selectFrom('api_keys')
      .select('created_at')
      .where('id', '=', after)
      .executeTakeFirst();
    if (last === undefined) return undefined;
    query = query.where((where) =>
      where.or([
        where('created_at', '>', last.created_at),
        where.and([where('created_at', '=', last.created_at), where('id', '>', after)]),
      ]),
    );
  }
  const rows = await query.orderBy('created_at').orderBy('id').limit(filter.limit).execute();
  return rows.map(apiKeyOf);
}

/** All keys, oldest first; of none there is no page. */
export async function* pagesOfKeys(database: Database, limit: number): AsyncGenerator<ApiKey[]> {
  let last: ApiKey | undefined;
  do {
    const page = await pageOfKeys(database, { limit, ...(last && { after: last.id }) }, new Date());
    if (page === undefined || page.length === 0) return;
    yield page;
    last = page.length === limit ? page.at(-1) : undefined;
  } while (last !== undefined);
}
