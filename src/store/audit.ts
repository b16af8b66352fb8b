import { hash } from 'node:crypto';
import type { Database } from './database-engine.ts';
import { storableText } from './storable-text.ts';
import type { AuditEntriesTable } from './tables/audit-tables.ts';

/** What somebody did, or tried. Names and ids of ours alone: nothing that the caller wrote, and no secret. */
export interface AuditEntry {
  readonly actor: string;
  /** How the actor came: by the admin key itself, or by a session that was signed in with something. */
  readonly by: string;
  readonly role: string;
  readonly action: string;
  /** The path of the route. */
  readonly path: string;
  /** `done`, or the code of the error. */
  readonly outcome: string;
  readonly status: number;
  /** The ids of what was made or changed. */
  readonly ids: readonly string[];
  readonly detail: Readonly<Record<string, string | readonly string[]>>;
}

export interface DatedAuditEntry {
  readonly id: string;
  readonly at: number;
  readonly entry: AuditEntry;
}

export interface AuditPage {
  readonly rows: readonly AuditEntriesTable[];
  readonly hasMore: boolean;
}

const MAX_ENTRY_CHARACTERS = 4_096;
const REMOVED_AT_ONCE = 500;
const VERIFIED_AT_ONCE = 500;

/** In one transaction, at the end of the chain of this gateway. One that is there already is left out. */
export async function appendAudit(
  database: Database,
  gateway: string,
  entries: readonly DatedAuditEntry[],
): Promise<void> {
  await database.write(async ({ query }) => {
    await query
      .insertInto('audit_chains')
      .values({ gateway, head_seq: 0, head_hash: '', anchor_seq: 0, anchor_hash: '' })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const ids = entries.map(({ id }) => id);
    const present = await query.selectFrom('audit_entries').select('id').where('id', 'in', ids).execute();
    const known = new Set(present.map(({ id }) => id));
    const head = await query
      .selectFrom('audit_chains')
      .select(['head_seq', 'head_hash'])
      .where('gateway', '=', gateway)
      .executeTakeFirstOrThrow();
    let { head_seq: seq, head_hash: previous } = head;
    for (const { id, at, entry } of entries.filter((each) => !known.has(each.id))) {
      seq += 1;
      const unhashed = { gateway, seq, id, at, entry: entryText(entry) };
      previous = auditHash(previous, unhashed);
      await query
        .insertInto('audit_entries')
        .values({ ...unhashed, hash: previous })
        .execute();
    }
    await query
      .updateTable('audit_chains')
      .set({ head_seq: seq, head_hash: previous })
      .where('gateway', '=', gateway)
      .execute();
  });
}

/** Newest first, over all gateways; `after`: the id of the last one of the page before. */
export async function pageOfAudit({ query }: Database, after: string | undefined, limit: number): Promise<AuditPage> {
  const base = query.selectFrom('audit_entries').selectAll();
  const found = await (after === undefined ? base : base.where('id', '<', after))
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  return { rows: found.slice(0, limit), hasMore: found.length > limit };
}

/** Those of before that moment, from the old end of each chain. Gives how many. */
export async function removeAudit(database: Database, beforeMs: number): Promise<number> {
  let removed = 0;
  const chains = await database.query.selectFrom('audit_chains').select('gateway').execute();
  for (const { gateway } of chains) {
    for (;;) {
      const gone = await database.write(({ query }) => removeSome(query, gateway, beforeMs));
      removed += gone;
      if (gone < REMOVED_AT_ONCE) break;
    }
  }
  return removed;
}

async function removeSome(query: Database['query'], gateway: string, beforeMs: number): Promise<number> {
  const oldest = await query
    .selectFrom('audit_entries')
    .select(['seq', 'hash', 'at'])
    .where('gateway', '=', gateway)
    .orderBy('seq')
    .limit(REMOVED_AT_ONCE)
    .execute();
  const kept = oldest.findIndex(({ at }) => at >= beforeMs);
  const gone = kept === -1 ? oldest : oldest.slice(0, kept);
  const last = gone.at(-1);
  if (last === undefined) return 0;
  await query.deleteFrom('audit_entries').where('gateway', '=', gateway).where('seq', '<=', last.seq).execute();
  await query
    .updateTable('audit_chains')
    .set({ anchor_seq: last.seq, anchor_hash: last.hash })
    .where('gateway', '=', gateway)
    .execute();
  return gone.length;
}

export interface AuditVerification {
  readonly entries: number;
  /** What does not hold, in words; the first twenty. */
  readonly faults: readonly string[];
}

/** Computes every chain again, from its anchor to its head. */
export async function verifyAudit({ query }: Database): Promise<AuditVerification> {
  const faults: string[] = [];
  let entries = 0;
  const chains = await query.selectFrom('audit_chains').selectAll().execute();
  for (const chain of chains) {
    const { gateway } = chain;
    let { anchor_seq: seq, anchor_hash: previous } = chain;
    for (;;) {
      const page = await query
        .selectFrom('audit_entries')
        .selectAll()
        .where('gateway', '=', gateway)
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(VERIFIED_AT_ONCE)
        .execute();
      for (const row of page) {
        entries += 1;
        if (row.seq !== seq + 1)
          faults.push(`${gateway} audit ${row.seq}: ${row.seq - seq - 1} entries before it are missing`);
        else if (auditHash(previous, row) !== row.hash)
          faults.push(`${gateway} audit ${row.seq} (${row.id}): it was changed`);
        seq = row.seq;
        previous = row.hash;
      }
      if (page.length < VERIFIED_AT_ONCE) break;
    }
    if (seq < chain.head_seq) faults.push(`${gateway} audit: the newest ${chain.head_seq - seq} entries are missing`);
    else if (seq === chain.head_seq && previous !== chain.head_hash)
      faults.push(`${gateway} audit ${seq}: it is not the one that was written`);
  }
  return { entries, faults: faults.slice(0, 20) };
}

/** The rule is for ever: changing it makes every older chain look forged. */
function auditHash(previous: string, { gateway, seq, id, at, entry }: Omit<AuditEntriesTable, 'hash'>): string {
  return hash('sha256', `${previous}\n${gateway}\n${seq}\n${id}\n${at}\n${entry}`, 'base64url');
}

/** Ids and details of a very large change are left out, and it says so. */
function entryText(entry: AuditEntry): string {
  const text = storableText(JSON.stringify(entry));
  if (text.length <= MAX_ENTRY_CHARACTERS) return text;
  const { ids } = entry;
  return storableText(JSON.stringify({ ...entry, ids: ids.slice(0, 8), detail: { truncated: `${ids.length} ids` } }));
}
