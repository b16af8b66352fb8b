import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, metadataKeys, type SettingsOf, section } from './section.ts';

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

export type LedgerSettings = SettingsOf<typeof ledger>;
