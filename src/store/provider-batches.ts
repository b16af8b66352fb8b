import type { Database } from './database.ts';

/** What the gateway keeps of a batch that its provider runs. */
export interface KeptProviderBatch {
  readonly account: string;
  readonly id: string;
  /** As it was asked for: the provider does not repeat it. */
  readonly endpoint: string;
  readonly inputFileId: string;
  readonly completionWindow: string;
  readonly metadataJson: string | undefined;
}

export async function insertProviderBatch(database: Database, batch: KeptProviderBatch): Promise<void> {
  const { account, id, endpoint, inputFileId, completionWindow, metadataJson } = batch;
  const row = [account, id, endpoint, inputFileId, completionWindow, metadataJson ?? null, 0, null];
  await database.write((transaction) => transaction.insertNew('provider_batches', COLUMNS, [row]));
}

const COLUMNS = [
  'account',
  'id',
  'endpoint',
  'input_file_id',
  'completion_window',
  'metadata',
  'charging_until',
  'charged_at',
] as const;

export async function findProviderBatch(
  { query }: Database,
  account: string,
  id: string,
): Promise<KeptProviderBatch | undefined> {
  const row = await query
    .selectFrom('provider_batches')
    .selectAll()
    .where('account', '=', account)
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { endpoint, input_file_id: inputFileId, completion_window: completionWindow, metadata } = row;
  return { account, id, endpoint, inputFileId, completionWindow, metadataJson: metadata ?? undefined };
}

/**
 * Whether whoever asks is to charge this batch: nobody has, and nobody is about to until then. It is told of the end with
 * `endCharge`. A batch that was begun elsewhere is known from here on.
 */
export function beginCharge(
  database: Database,
  { account, id }: Pick<KeptProviderBatch, 'account' | 'id'>,
  until: number,
  now: number,
): Promise<boolean> {
  return database.write(async (transaction) => {
    await transaction.insertNew('provider_batches', COLUMNS, [[account, id, '', '', '', null, 0, null]]);
    const changed = await transaction.query
      .updateTable('provider_batches')
      .set({ charging_until: until })
      .where('account', '=', account)
      .where('id', '=', id)
      .where('charged_at', 'is', null)
      .where('charging_until', '<=', now)
      .executeTakeFirst();
    return changed.numUpdatedRows > 0n;
  });
}

/** Ends a charge, by whoever began it. `chargedAt`: undefined where it could not be: somebody else may. */
export async function endCharge(
  { query }: Database,
  { account, id }: Pick<KeptProviderBatch, 'account' | 'id'>,
  chargedAt: number | undefined,
): Promise<void> {
  await query
    .updateTable('provider_batches')
    .set({ charging_until: 0, charged_at: chargedAt ?? null })
    .where('account', '=', account)
    .where('id', '=', id)
    .execute();
}
