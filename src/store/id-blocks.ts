import type { Database } from './database-engine.ts';

/*
 * Where an exchange is: the ids of a thread ascend, so those of one frame are few blocks of ids that differ in their last
 * two characters alone. A row of ledger_ids says of one block which of its ids a frame has.
 */
const REST = 2;
const BLOCKS_PER_QUERY = 400;

export interface IdBlock {
  readonly block: string;
  /** The ends of its ids, two characters each. */
  readonly rests: string;
}

function blockOf(id: string): string {
  return id.slice(0, -REST);
}

export function blocksOf(ids: readonly string[]): IdBlock[] {
  const blocks = new Map<string, string>();
  let last = '';
  let rests = '';
  for (const id of ids) {
    const block = blockOf(id);
    if (block !== last) {
      if (rests !== '') blocks.set(last, rests);
      last = block;
      rests = blocks.get(block) ?? '';
    }
    rests += id.slice(-REST).padStart(REST);
  }
  if (rests !== '') blocks.set(last, rests);
  return Array.from(blocks, ([block, all]) => ({ block, rests: all }));
}

/** Position of the frame that has an exchange; undefined: none has it. */
export async function frameOf(database: Database, id: string): Promise<number | undefined> {
  const rest = id.slice(-REST).padStart(REST);
  const rows = await database.query
    .selectFrom('ledger_ids')
    .select(['position', 'rests'])
    .where('block', '=', blockOf(id))
    .execute();
  return rows.find(({ rests }) => hasRest(rests, rest))?.position;
}

/** Those of `ids` that a frame has already. */
export async function knownIds(database: Database, ids: readonly string[]): Promise<Set<string>> {
  const byBlock = Map.groupBy(ids, blockOf);
  const blocks = [...byBlock.keys()];
  const known = new Set<string>();
  for (let from = 0; from < blocks.length; from += BLOCKS_PER_QUERY) {
    const rows = await database.query
      .selectFrom('ledger_ids')
      .select(['block', 'rests'])
      .where('block', 'in', blocks.slice(from, from + BLOCKS_PER_QUERY))
      .execute();
    for (const { block, rests } of rows)
      for (const id of byBlock.get(block) ?? []) if (hasRest(rests, id.slice(-REST).padStart(REST))) known.add(id);
  }
  return known;
}

function hasRest(rests: string, rest: string): boolean {
  for (let at = rests.indexOf(rest); at >= 0; at = rests.indexOf(rest, at + 1)) if (at % REST === 0) return true;
  return false;
}
