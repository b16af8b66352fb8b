import { hash } from 'node:crypto';
import type { LedgerRowsTable } from '../store/tables/ledger-tables.ts';
import { chainOf, seqOf } from './chain-position.ts';

/**
 * What a row's hash is made of: the hash before it, then every column in this order, one a line (null: an empty line).
 * No column holds a line feed: texts of clients are in `detail`, where JSON escapes it. Large numbers go in as two small
 * ones, which cost a fifth to write. Labels, series and price tables come in by the hash of their content. The rule is for
 * ever: changing it makes every older chain look forged.
 */
export function rowHash(previousHash: string, row: Omit<LedgerRowsTable, 'hash'>): string {
  const text = `${previousHash}
${row.id}
${chainOf(row.position)}
${seqOf(row.position)}
${row.labels}
${Math.floor(row.started_at / 1_000)}
${row.started_at % 1_000}
${row.ended_at - row.started_at}
${row.status}
${row.input_tokens ?? ''}
${row.output_tokens ?? ''}
${row.cost_nano_usd ?? ''}
${row.numbers}
${row.detail ?? ''}`;
  return hash('sha256', text, 'base64url');
}

/** Names what is kept once by its content (labels, series, price tables): 96 bits of its SHA-256. */
export function contentHash(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16);
}
