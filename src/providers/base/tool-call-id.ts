import { createHash } from 'node:crypto';

/** What Anthropic, Bedrock and others take as the id of a tool call. */
const ACCEPTED = /^[a-zA-Z0-9_-]{1,64}$/;
const MAX_KEPT_CHARACTERS = 51;
const DIGEST_CHARACTERS = 12;

/**
 * The id of a tool call as a strict provider takes it: 1 to 64 letters, digits, `_` and `-`. An id that another vendor
 * made (`functions.f:0`) is rewritten with a digest of the whole id behind it. So call and result, which the client sends
 * with its own id in each turn, become the same, and two ids stay two.
 */
export function strictToolCallId(id: string): string {
  if (ACCEPTED.test(id)) return id;
  const digest = createHash('sha256').update(id).digest('hex').slice(0, DIGEST_CHARACTERS);
  return `${id.slice(0, MAX_KEPT_CHARACTERS).replace(/[^a-zA-Z0-9_-]/g, '_')}_${digest}`;
}
