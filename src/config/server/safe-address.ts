import { z } from 'zod';

/** A server that answers for it decides what things cost: over a line that others can write to the list must be signed. */
export function isListUrl(value: string, signed: boolean): boolean {
  if (value.length > 2048 || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  const safe = protocol === 'https:' || (protocol === 'http:' && (signed || loopback));
  return safe && username === '' && password === '' && hash === '';
}

const publicUrlError = 'an https:// address (http:// only on this machine) of a host alone, without path';
export const publicUrl = z
  .string({ error: publicUrlError })
  .refine(isPublicUrl, { error: publicUrlError })
  .transform((value) => new URL(value).origin);

/** Tokens and keys go there: never over a line that others can read. */
function isPublicUrl(value: string): boolean {
  return isListUrl(value, false) && new URL(value).pathname === '/' && new URL(value).search === '';
}
