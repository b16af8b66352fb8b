import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { type SettingsOf, section } from './section.ts';

/**
 * An engine of ours, or the address of one that exists. An address may hold a password and is not shown.
 */
function engine(builtIn: string, address: RegExp, form: string) {
  const allowed = `\`${builtIn}\` or ${form}`;
  const chosen = z.string({ error: allowed }).superRefine((value, context) => {
    if (value === builtIn || (address.test(value) && URL.canParse(value))) return;
    const shown = value.includes(':') ? { found: 'an address (not shown)' } : undefined;
    context.addIssue({ code: 'custom', message: allowed, params: { ...shown } });
  });
  return keyWithDefault(chosen, builtIn);
}

/** A bucket alone or with folders; keys, region and endpoint may stand in it. */
const S3 = /^s3:\/\/([^@/\s]+:[^@/\s]+@)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9._/-]*)?(\?[^#\s]*)?$/;

export const store = section(
  z.object({
    database: engine('sqlite', /^postgres(ql)?:\/\//, '`postgres://user:password@host:5432/database`').describe(
      'Where keys, ledger and spent budgets are kept: a file in `data_dir`, or PostgreSQL.',
    ),
    counters: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`').describe(
      'Where limits and budgets are counted: in memory, or in a Redis for several gateways.',
    ),
    blobs: engine('disk', S3, '`s3://bucket/prefix`').describe(
      'Where uploaded files are kept: `blobs` in `data_dir`, or a bucket: `s3://KEY_ID:SECRET@bucket/prefix?region=…&endpoint=…`.',
    ),
    cache: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`').describe(
      'Where cached answers are kept beside the memory of this gateway: nowhere, or in a Redis for several gateways.',
    ),
  }),
);

export const counters = section(
  z.object({
    agreement: keyWithDefault(z.enum(['strict', 'leased']), 'strict').describe(
      'With Redis: `strict` asks it before each request, `leased` spends shares taken ahead.',
    ),
    lease_percent: keyWithDefault(wholeNumber(1, 50), 5).describe(
      'Share of a limit that one gateway may take ahead with `leased`.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 250).describe('A Redis that takes longer counts as away.'),
    when_away: keyWithDefault(z.enum(['local', 'closed', 'open']), 'local').describe(
      'Without Redis: `local` counts on this machine, `closed` refuses (503), `open` lets everything pass.',
    ),
    max_cells: keyWithDefault(wholeNumber(1024, 4_194_304), 65_536).describe(
      'Counts kept in memory, 520 bytes each; further groups of a rule share one.',
    ),
  }),
);

/** How limits and budgets are counted where `store.counters` is Redis; `memory` is exact on one machine by itself. */
export type CounterSettings = SettingsOf<typeof counters>;
