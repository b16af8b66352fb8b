import { z } from 'zod';
import { type Manifest, warn } from '../documents/manifests.ts';
import type { Report } from '../fault.ts';
import { keyWithDefault, optionalKey, text } from '../scalar-schema.ts';
import { lowerCase } from '../subject.ts';
import { teamName } from '../subject-schema.ts';

/** The keys that users, teams and virtual accounts share. */

const emailError = 'an e-mail address';

/** In lower case, as everywhere. */
export const email = z
  .string({ error: emailError })
  .regex(/^(user:)?[^\s@\x00-\x1f\x7f]{1,128}@[^\s@\x00-\x1f\x7f]{1,255}$/i, { error: emailError })
  .transform((written) => lowerCase(written.replace(/^user:/i, '')));

export const owner = optionalKey(
  z.object({
    account: optionalKey(text(256)).describe('Has no effect.'),
    team: optionalKey(teamName).describe('Of a virtual account: the team that it counts for.'),
  }),
).describe('Of whom it is.');

/** The reference product lets the value of a tag be anything; metadata of a request is text. */
export const tags = keyWithDefault(z.record(z.string(), z.unknown()), {}).describe(
  'Key to value: part of the metadata of its requests.',
);

/** Those that can be metadata; of the others a warning. */
export function metadataOf(
  written: Record<string, unknown>,
  manifest: Manifest,
  report: Report,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(written)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      Object.defineProperty(kept, key, { value: String(value), enumerable: true, writable: true, configurable: true });
    } else {
      const message = 'only text, numbers and booleans become metadata of requests; this tag has no effect';
      warn(report, manifest, ['tags', key], { message });
    }
  }
  return kept;
}
