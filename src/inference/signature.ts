/**
 * Vendors sign reasoning and tool calls and want the signature back unchanged; another vendor's they refuse. So each
 * signature carries its vendor while a client holds it: `gemini.CiQB…`. Anthropic's carry none: its clients know the
 * plain ones. Signatures are base64 or base64url, so a `.` cannot be part of one.
 */
export function markSignature(vendor: string, signature: string): string {
  return `${vendor}.${signature}`;
}

/** The plain signature where it is this vendor's. */
export function ownSignature(vendor: string, marked: string | undefined): string | undefined {
  return marked?.startsWith(`${vendor}.`) ? marked.slice(vendor.length + 1) : undefined;
}

/** The signature where no vendor is named in it. */
export function plainSignature(marked: string | undefined): string | undefined {
  return marked === undefined || marked.includes('.') ? undefined : marked;
}

/** Stands between the id of a tool call and what it carries. */
export const CARRIED_MARK = '_sluicesig_';
/** Beyond it an id would weigh more than the call: the signature is then left to clients that keep extension fields. */
const MAX_CARRIED_CHARACTERS = 16_384;

/**
 * A tool call's id with its signature behind it: clients that drop every field they do not know still send ids back, on
 * any gateway of a cluster. The bytes are base64url, so the id stays letters, digits, `_` and `-`.
 */
export function carryInId(id: string, signature: string | undefined): string {
  if (signature === undefined || signature.length > MAX_CARRIED_CHARACTERS) return id;
  return `${id}${CARRIED_MARK}${Buffer.from(signature).toString('base64url')}`;
}

export function splitCarryingId(id: string): { id: string; signature: string | undefined } {
  const at = id.indexOf(CARRIED_MARK);
  if (at < 0) return { id, signature: undefined };
  return { id: id.slice(0, at), signature: Buffer.from(id.slice(at + CARRIED_MARK.length), 'base64url').toString() };
}
