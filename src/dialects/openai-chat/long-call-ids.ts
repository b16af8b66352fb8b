import { createHash } from 'node:crypto';
import type { Edit } from '../../codec/key-rules.ts';
import { CARRIED_MARK } from '../../inference/signature.ts';

const RESULT_KEY = Buffer.from('"tool_call_id"');
const CALL_KEY = Buffer.from('"id"');
const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const DIGEST_CHARACTERS = 12;

/**
 * The edits that bring ids of tool calls in the messages at body[start, end) down to what a provider takes. Other vendors
 * make longer ones (Cohere: the name of the function and thirteen characters). The end of such an id becomes a digest of
 * all of it: so call and result, which the client sends with its own id in each turn, stay one, and two ids stay two.
 * Without a result of a tool, as in most requests, this is one native search.
 */
export function longCallIdEdits(body: Buffer, start: number, end: number, maxCharacters: number): Edit[] {
  const edits: Edit[] = [];
  const short = new Map<string, Buffer>();
  for (const { from, to } of valuesOf(RESULT_KEY, body, start, end)) {
    const id = body.toString('utf8', from, to);
    if (bareId(id).length <= maxCharacters) continue;
    const bytes = short.get(id) ?? Buffer.from(shortened(bareId(id), maxCharacters));
    short.set(id, bytes);
    edits.push({ start: from, end: to, bytes });
  }
  if (short.size === 0) return edits;
  for (const { from, to } of valuesOf(CALL_KEY, body, start, end)) {
    const bytes = short.get(body.toString('utf8', from, to));
    if (bytes) edits.push({ start: from, end: to, bytes });
  }
  return edits;
}

/** Without what it carries for another vendor (carried-signatures.ts). */
function bareId(id: string): string {
  const mark = id.indexOf(CARRIED_MARK);
  return mark < 0 ? id : id.slice(0, mark);
}

function shortened(id: string, maxCharacters: number): string {
  const digest = createHash('sha256').update(id).digest('hex').slice(0, DIGEST_CHARACTERS);
  return `${id.slice(0, maxCharacters - DIGEST_CHARACTERS - 1)}_${digest}`;
}

/** Places of the texts that stand behind a key; those with escapes are no ids that anybody makes. */
function* valuesOf(key: Buffer, body: Buffer, start: number, end: number): Generator<{ from: number; to: number }> {
  for (let at = body.indexOf(key, start); at >= 0 && at < end; at = body.indexOf(key, at + key.length)) {
    if (body[at - 1] === BACKSLASH) continue;
    const colon = behindBlanks(body, at + key.length);
    const open = behindBlanks(body, colon + 1);
    if (body[colon] !== COLON || body[open] !== QUOTE) continue;
    const to = body.indexOf(QUOTE, open + 1);
    if (to > 0 && !body.subarray(open + 1, to).includes(BACKSLASH)) yield { from: open + 1, to };
  }
}

function behindBlanks(body: Buffer, from: number): number {
  let at = from;
  while (body[at]! <= 0x20) at += 1;
  return at;
}
