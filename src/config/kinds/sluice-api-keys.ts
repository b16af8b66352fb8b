import { createHash } from 'node:crypto';
import { z } from 'zod';
import { warn } from '../documents/manifests.ts';
import { didYouMean } from '../fault.ts';
import type { ConfiguredKey } from '../packed-keys.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

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
    name: text(128).describe('Stands in logs and metrics in place of the key.'),
    key: optionalKey(key).describe('The key itself; only its SHA-256 is kept.'),
    key_sha256: optionalKey(digest).describe('In place of `key`: its SHA-256 in hexadecimal digits.'),
    subject: subject.describe('Who it stands for: `user:…` or `virtualaccount:…`.'),
    teams: restricting(keyWithDefault(z.array(text(128)), [])).describe(
      'Teams of that subject, besides those of `team`.',
    ),
    models: restricting(optionalKey(z.array(modelPattern))).describe(
      'Which models it may use, as `account/model`, with `*` for any characters; absent: all.',
    ),
    metadata: restricting(keyWithDefault(metadata, {})).describe('Stands in the metadata of all its requests.'),
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

const schema = z.object({
  type: z.literal('sluice/api-keys'),
  keys: keyWithDefault(z.array(entry), []).describe('The keys that clients present.'),
});

export const sluiceApiKeys = manifestKind({
  type: 'sluice/api-keys',
  schema,
  uniqueKeys: [
    { path: 'keys[].name', what: 'this key name', over: 'key names' },
    { path: 'keys[]', what: 'the same key', over: 'keys', compared: digestOf },
  ],
  check(written, { models, report }) {
    for (const { manifest, value } of written) {
      for (const [index, { models: patterns = [] }] of value.keys.entries()) {
        for (const [at, pattern] of patterns.entries()) {
          if (models.canBe(pattern)) continue;
          warn(report, manifest, ['keys', index, 'models', at], {
            message: `no model that is configured matches \`${pattern}\``,
            remedy: didYouMean(models.nearModels(pattern)),
          });
        }
      }
    }
  },
  part: (written): { keys: ConfiguredKey[] } => ({ keys: written.flatMap(({ value }) => configuredKeys(value)) }),
});

function configuredKeys({ keys }: z.output<typeof schema>): ConfiguredKey[] {
  return keys.map(({ key: literal = '', key_sha256: keySha256 = sha256(literal), models, ...rest }) => ({
    ...rest,
    keySha256,
    ...(models === undefined ? {} : { models }),
  }));
}

/** The digest of a key as it is written. It is only compared, never shown. */
function digestOf(written: unknown): string | undefined {
  if (typeof written !== 'object' || written === null) return undefined;
  const digest: unknown = Reflect.get(written, 'key_sha256');
  if (typeof digest === 'string') return digest.toLowerCase();
  const literal: unknown = Reflect.get(written, 'key');
  return typeof literal === 'string' && literal !== '' ? sha256(literal) : undefined;
}

/** Hex, of the UTF-8 bytes. */
function sha256(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex');
}
