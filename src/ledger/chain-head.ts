import type { Database } from '../store/database.ts';
import { MOST_CHAINS } from './chain-position.ts';

/** The newest row of a chain; seq 0 and an empty hash before the first. */
export interface ChainHead {
  readonly chain: number;
  readonly seq: number;
  readonly hash: string;
}

/** Two gateways that begin their chains at once want the same number: the later one takes the next. */
const MOST_TRIES = 20;

/** Where the chain of this gateway stands; begins one if there is none. */
export async function readHead(database: Database, gatewayId: string): Promise<ChainHead> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const found = await database.query
      .selectFrom('ledger_chains')
      .select(['chain', 'head_seq', 'head_hash'])
      .where('gateway', '=', gatewayId)
      .executeTakeFirst();
    if (found) return { chain: found.chain, seq: found.head_seq, hash: found.head_hash };
    await begin(database, gatewayId);
  }
  throw new Error(`no chain could be begun for ${gatewayId}`);
}

async function begin(database: Database, gateway: string): Promise<void> {
  const { newest } = await database.query
    .selectFrom('ledger_chains')
    .select(({ fn }) => fn.max('chain').as('newest'))
    .executeTakeFirstOrThrow();
  const chain = (newest ?? 0) + 1;
  if (chain > MOST_CHAINS)
    throw new Error(`the ledger holds ${MOST_CHAINS} chains already: give gateways a lasting gateway_id`);
  await database.query
    .insertInto('ledger_chains')
    .values({ gateway, chain, head_seq: 0, head_hash: '', anchor_seq: 0, anchor_hash: '' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
