import type { Kysely, Selectable } from 'kysely';
import type { Database } from './database.ts';
import type { McpConnectionsTable, McpSignInsTable } from './tables/mcp-tables.ts';
import type { Tables } from './tables.ts';

/** One user's way into one account of one MCP server. Times in milliseconds since the Unix epoch. */
export interface McpConnection {
  readonly id: string;
  readonly subject: string;
  readonly server: string;
  readonly account: string;
  readonly kind: 'oauth' | 'values';
  readonly issuer: string | undefined;
  readonly scopes: string;
  /** Sealed. */
  readonly secret: string;
  /** Undefined: it is not known. */
  readonly expiresAt: number | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
}

export interface McpPlace {
  readonly subject: string;
  readonly server: string;
  readonly account: string;
}

export interface McpConnectionFilter {
  readonly id?: string | undefined;
  readonly subject?: string | undefined;
  readonly server?: string | undefined;
  readonly account?: string | undefined;
}

/** A client of MCP that somebody signed in at the gateway. */
export interface McpSignIn {
  readonly id: string;
  readonly subject: string;
  readonly client: string;
  readonly resource: string;
  /** Sealed. */
  readonly secret: string;
  readonly generation: number;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly expiresAt: number;
}

type Query = Pick<Database, 'query'>;

const MAX_LISTED = 1_000;
/** The bound of one owner at once: further ones push the oldest out. */
const MAX_PENDING = 20;
const MAX_SIGN_INS = 100;

export async function findMcpConnection({ query }: Query, place: McpPlace): Promise<McpConnection | undefined> {
  const row = await query
    .selectFrom('mcp_connections')
    .selectAll()
    .where('subject', '=', place.subject)
    .where('server', '=', place.server)
    .where('account', '=', place.account)
    .executeTakeFirst();
  return row && connectionOf(row);
}

/** The newest first. */
export async function listMcpConnections({ query }: Query, filter: McpConnectionFilter): Promise<McpConnection[]> {
  let found = query.selectFrom('mcp_connections').selectAll();
  for (const [column, value] of Object.entries(filter)) {
    if (value !== undefined) found = found.where(column as keyof McpConnectionFilter, '=', value);
  }
  const rows = await found.orderBy('updated_at', 'desc').orderBy('id').limit(MAX_LISTED).execute();
  return rows.map(connectionOf);
}

/** In the place of what this user had for this account, which is gone with its id. */
export async function putMcpConnection({ query }: Query, connection: McpConnection): Promise<void> {
  const { subject, server, account } = connection;
  const row: McpConnectionsTable = {
    id: connection.id,
    subject,
    server,
    account,
    kind: connection.kind,
    issuer: connection.issuer ?? null,
    scopes: connection.scopes,
    secret: connection.secret,
    expires_at: connection.expiresAt ?? null,
    created_at: connection.createdAt,
    updated_at: connection.updatedAt,
    version: connection.version,
    leased_until: 0,
  };
  await query
    .insertInto('mcp_connections')
    .values(row)
    .onConflict((conflict) => conflict.columns(['subject', 'server', 'account']).doUpdateSet(row))
    .execute();
}

/** False: somebody else refreshes it, or it changed meanwhile. */
export async function leaseMcpConnection(
  { query }: Query,
  id: string,
  version: number,
  now: number,
  untilMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('mcp_connections')
    .set({ leased_until: untilMs })
    .where('id', '=', id)
    .where('version', '=', version)
    .where('leased_until', '<', now)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** It could not be refreshed: whoever comes next may try. */
export async function releaseMcpConnection({ query }: Query, id: string, version: number): Promise<void> {
  await query
    .updateTable('mcp_connections')
    .set({ leased_until: 0 })
    .where('id', '=', id)
    .where('version', '=', version)
    .execute();
}

/** False: it is gone, or another one by now. */
export async function updateMcpConnection(
  { query }: Query,
  id: string,
  version: number,
  change: Pick<McpConnection, 'secret' | 'scopes' | 'expiresAt' | 'updatedAt'>,
): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('mcp_connections')
    .set({
      secret: change.secret,
      scopes: change.scopes,
      expires_at: change.expiresAt ?? null,
      updated_at: change.updatedAt,
      version: version + 1,
      leased_until: 0,
    })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What was there of it. A filter without any value deletes nothing. */
export async function deleteMcpConnections(database: Query, filter: McpConnectionFilter): Promise<McpConnection[]> {
  if (Object.values(filter).every((value) => value === undefined)) return [];
  const found = await listMcpConnections(database, filter);
  for (const { id } of found) await database.query.deleteFrom('mcp_connections').where('id', '=', id).execute();
  return found;
}

/** Bounded for each owner. */
export async function putMcpPending(
  { query }: Query,
  pending: { readonly id: string; readonly owner: string; readonly secret: string; readonly expiresAt: number },
  now: number,
): Promise<void> {
  const { id, owner, secret, expiresAt } = pending;
  await query.deleteFrom('mcp_pending').where('expires_at', '<=', now).execute();
  const older = await query
    .selectFrom('mcp_pending')
    .select('id')
    .where('owner', '=', owner)
    .orderBy('expires_at', 'desc')
    .offset(MAX_PENDING - 1)
    .limit(MAX_PENDING)
    .execute();
  for (const each of older) await query.deleteFrom('mcp_pending').where('id', '=', each.id).execute();
  await query.insertInto('mcp_pending').values({ id, owner, secret, expires_at: expiresAt }).execute();
}

/** Once: whoever comes second finds nothing. */
export async function takeMcpPending({ query }: Query, id: string, now: number): Promise<string | undefined> {
  const row = await query
    .deleteFrom('mcp_pending')
    .where('id', '=', id)
    .returning(['secret', 'expires_at'])
    .executeTakeFirst();
  return row && Number(row.expires_at) > now ? row.secret : undefined;
}

export async function findMcpClient({ query }: Query, id: string): Promise<string | undefined> {
  return (await query.selectFrom('mcp_clients').select('secret').where('id', '=', id).executeTakeFirst())?.secret;
}

/** The one that was first stays: what is there afterwards is given back. */
export async function putMcpClient(database: Query, id: string, secret: string, now: number): Promise<string> {
  await database.query
    .insertInto('mcp_clients')
    .values({ id, secret, created_at: now })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  return (await findMcpClient(database, id)) ?? secret;
}

export async function deleteMcpClient({ query }: Query, id: string): Promise<void> {
  await query.deleteFrom('mcp_clients').where('id', '=', id).execute();
}

/** Bounded for each subject: the one that rests longest makes room. */
export async function putMcpSignIn({ query }: Query, signIn: McpSignIn): Promise<void> {
  await query.deleteFrom('mcp_sign_ins').where('expires_at', '<=', signIn.createdAt).execute();
  const older = await query
    .selectFrom('mcp_sign_ins')
    .select('id')
    .where('subject', '=', signIn.subject)
    .orderBy('used_at', 'desc')
    .offset(MAX_SIGN_INS - 1)
    .limit(MAX_SIGN_INS)
    .execute();
  for (const { id } of older) await query.deleteFrom('mcp_sign_ins').where('id', '=', id).execute();
  await query
    .insertInto('mcp_sign_ins')
    .values({
      id: signIn.id,
      subject: signIn.subject,
      client: signIn.client,
      resource: signIn.resource,
      secret: signIn.secret,
      generation: signIn.generation,
      created_at: signIn.createdAt,
      used_at: signIn.usedAt,
      expires_at: signIn.expiresAt,
    })
    .execute();
}

/** The next of its tokens. Undefined: this one is not good any more, and with it the whole family is gone. */
export async function nextOfMcpSignIn(
  database: Query,
  id: string,
  generation: number,
  now: number,
): Promise<McpSignIn | undefined> {
  const { query } = database;
  const row = await query
    .updateTable('mcp_sign_ins')
    .set({ generation: generation + 1, used_at: now })
    .where('id', '=', id)
    .where('generation', '=', generation)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst();
  if (row) return signInOf(row);
  // Used twice: one of the two who had it stole it, and nobody can tell which.
  await deleteMcpSignIns(database, { id });
  return undefined;
}

export async function listMcpSignIns({ query }: Query, subject: string | undefined, now: number): Promise<McpSignIn[]> {
  let found = query.selectFrom('mcp_sign_ins').selectAll().where('expires_at', '>', now);
  if (subject !== undefined) found = found.where('subject', '=', subject);
  const rows = await found.orderBy('used_at', 'desc').orderBy('id').limit(MAX_LISTED).execute();
  return rows.map(signInOf);
}

export async function deleteMcpSignIns(
  { query }: Query,
  filter: { readonly id: string; readonly subject?: string },
): Promise<boolean> {
  let found = query.deleteFrom('mcp_sign_ins').where('id', '=', filter.id);
  if (filter.subject !== undefined) found = found.where('subject', '=', filter.subject);
  return (await found.executeTakeFirst()).numDeletedRows > 0n;
}

export async function eraseMcpOf(query: Kysely<Tables>, subject: string): Promise<void> {
  await query.deleteFrom('mcp_connections').where('subject', '=', subject).execute();
  await query.deleteFrom('mcp_sign_ins').where('subject', '=', subject).execute();
  await query.deleteFrom('mcp_pending').where('owner', '=', subject).execute();
}

function connectionOf(row: Selectable<McpConnectionsTable>): McpConnection {
  return {
    id: row.id,
    subject: row.subject,
    server: row.server,
    account: row.account,
    kind: row.kind === 'values' ? 'values' : 'oauth',
    issuer: row.issuer ?? undefined,
    scopes: row.scopes,
    secret: row.secret,
    expiresAt: row.expires_at === null ? undefined : Number(row.expires_at),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    version: row.version,
  };
}

function signInOf(row: Selectable<McpSignInsTable>): McpSignIn {
  return {
    id: row.id,
    subject: row.subject,
    client: row.client,
    resource: row.resource,
    secret: row.secret,
    generation: row.generation,
    createdAt: Number(row.created_at),
    usedAt: Number(row.used_at),
    expiresAt: Number(row.expires_at),
  };
}
