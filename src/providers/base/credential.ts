import { createHash } from 'node:crypto';
import type { Credential } from '../credential.ts';
import { redaction, secretsOf } from './redaction.ts';

/** Headers that are the same for every request: an API key, a bearer token, a user name with its password. */
export function headerCredential(headers: readonly string[]): Credential {
  return { poolKey: digest(headers), sign: () => headers, redact: redaction(secretsOf(headers)) };
}

/** Nobody is asked who we are. */
export const NO_CREDENTIAL: Credential = headerCredential([]);

/** Tells lists of headers apart without holding one: 64 bits of SHA-256. */
export function digest(headers: readonly string[]): string {
  return createHash('sha256').update(headers.join('\0')).digest('hex').slice(0, 16);
}
