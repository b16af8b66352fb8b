import { z } from 'zod';
import type { GroupKey } from '../configuration.ts';
import { keyWithDefault } from '../scalar-schema.ts';

const error = '`user`, `virtualaccount`, `model` or `metadata.<key>`';

const groupKey = z.string({ error }).transform((written, context): GroupKey => {
  if (written === 'user' || written === 'virtualaccount' || written === 'model') return written;
  if (/^metadata\.[^\x00-\x1f\x7f]{1,128}$/.test(written)) return `metadata.${written.slice('metadata.'.length)}`;
  context.issues.push({ code: 'custom', message: error, input: written });
  return z.NEVER;
});

/** `…_applies_per`; the reference product takes two, some more do no harm. */
export const groupKeys = keyWithDefault(
  z
    .array(groupKey)
    .max(8, { error: 'at most 8 keys' })
    .transform((keys) => [...new Set(keys)]),
  [],
);
