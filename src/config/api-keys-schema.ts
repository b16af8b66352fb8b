import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ConfiguredKey } from './configuration.ts';
import { keyWithDefault, optionalKey, text } from './scalar-schema.ts';

/** `sluice/api-keys`: who may use the gateway. A literal key becomes its hash here and is forgotten. */

const keyError = '1 to 4096 printable characters (spaces inside are fine), without white space around them';
const key = z
  .string({ error: keyError })
  .min(1, { error: keyError })
  .max(4096, { error: keyError })
  .refine((value) => value === value.trim() && value.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(value), {
    error: keyError,
  });

const digestError = '64 hexadecimal digits: the SHA-256 of the key';
const digest = z
  .string({ error: digestError })
  .regex(/^[0-9a-f]{64}$/i, { error: digestError })
  .toLowerCase();

const subjectError = '`user:…` or `virtualaccount:…`';
const subject = z.string({ error: subjectError }).regex(/^(user|virtualaccount):[^\s\x00-\x1f\x7f]{1,256}$/, {
  error: subjectError,
});

const patternError = 'model ids in which `*` stands for any characters, as `account/*`';
const modelPattern = z.string({ error: patternError }).regex(/^[A-Za-z0-9._:/@+*-]{1,256}$/, { error: patternError });

const metadataError = 'text of up to 128 characters';
const metadata = z.record(z.string(), z.string({ error: metadataError }).max(128, { error: metadataError }));

const entry = z
  .object({
    name: text(128),
    key: optionalKey(key),
    key_sha256: optionalKey(digest),
    subject,
    teams: keyWithDefault(z.array(text(128)), []),
    models: optionalKey(z.array(modelPattern)),
    metadata: keyWithDefault(metadata, {}),
  })
  .superRefine((written, context) => {
    if ((written.key === undefined) !== (written.key_sha256 === undefined)) return;
    context.addIssue({
      code: 'custom',
      message: 'exactly one of `key` and `key_sha256`',
      params: {
        message: 'it must be said once what the key is',
        found: written.key === undefined ? 'neither' : 'both',
      },
    });
  });

export const apiKeysSchema = z.object({ type: z.literal('sluice/api-keys'), keys: keyWithDefault(z.array(entry), []) });

export function configuredKeys(parsed: z.output<typeof apiKeysSchema>): ConfiguredKey[] {
  return parsed.keys.map(({ key: literal = '', key_sha256: keySha256 = sha256(literal), models, ...rest }) => ({
    ...rest,
    keySha256,
    ...(models === undefined ? {} : { models }),
  }));
}

/** Hex, of the UTF-8 bytes. */
export function sha256(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex');
}
