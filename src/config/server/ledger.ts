import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, metadataKeys, section } from './section.ts';

export const ledger = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true).describe('Whether exchanges are recorded in the ledger.'),
    sync: keyWithDefault(z.enum(['batched', 'strict', 'disk']), 'batched').describe(
      '`batched` writes a record within 10 ms after its end, `strict` before the last byte of the answer; `disk` also waits until the disk has it.',
    ),
    when_full: keyWithDefault(z.enum(['refuse', 'serve']), 'refuse').describe(
      'Where a record could find no room: `refuse` new requests (503), or `serve` them and count what is lost.',
    ),
    retention_days: keyWithDefault(wholeNumber(0, 36_500), 90).describe(
      'Days for which rows are kept; 0 keeps them for ever.',
    ),
    hourly_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400).describe(
      'Days for which hourly sums are kept; daily sums stay.',
    ),
    metadata_keys: metadataKeys.describe('Keys of request metadata that the ledger keeps.'),
    audit_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400).describe(
      'Days for which entries of the audit log are kept; 0 keeps them for ever.',
    ),
    max_journal_bytes: keyWithDefault(wholeNumber(1_048_576, 1024 * gibibyte), 4 * gibibyte).describe(
      'Bound of what may wait for the database; beyond it `when_full` says what happens.',
    ),
  }),
);

export interface LedgerSettings {
  enabled: boolean;
  /**
   * `strict`: the record is in the journal before the last byte of the answer goes out, and with `disk` on the disk; else it
   * is in the journal at most 10 ms after.
   */
  sync: 'batched' | 'strict' | 'disk';
  /** Where a record could find no room: refuse new exchanges, or serve them and count the records that are lost. */
  whenFull: 'refuse' | 'serve';
  /** Rows; 0: kept for ever. */
  retentionDays: number;
  hourlyRetentionDays: number;
  /** Entries of the audit log; 0: kept for ever. */
  auditRetentionDays: number;
  /** Keys of request metadata that are kept in rows and rollups. */
  metadataKeys: string[];
  /** Journal files that wait for the database; beyond it the oldest records of usage would be lost, so new requests are refused. */
  maxJournalBytes: number;
}
