import type { Edit } from '../../codec/key-rules.ts';
import { CARRIED_MARK } from '../../inference/signature.ts';

const MARK = Buffer.from(CARRIED_MARK);
const NOTHING = Buffer.alloc(0);
const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const ID_KEYS = [Buffer.from('"id"'), Buffer.from('"tool_call_id"')];

/**
 * The edits that take what ids of tool calls carry for another vendor (`carryInId`) out of the messages at
 * body[start, end): an OpenAI-form provider has no use for it, and takes ids of 40 characters. Where no id carries
 * anything, as in most requests, this is one native search.
 */
export function carriedSignatureEdits(body: Buffer, start: number, end: number): Edit[] {
  const edits: Edit[] = [];
  for (let at = body.indexOf(MARK, start); at >= 0 && at < end; at = body.indexOf(MARK, at + 1)) {
    const open = body.lastIndexOf(QUOTE, at);
    const close = body.indexOf(QUOTE, at);
    if (isId(body, open)) edits.push({ start: at, end: close, bytes: NOTHING });
    at = close;
  }
  return edits;
}

/** Whether the string that begins at `open` is the value of an id, and not words within a text. */
function isId(body: Buffer, open: number): boolean {
  const colon = beforeBlanks(body, open);
  if (body[colon] !== COLON) return false;
  const keyEnd = beforeBlanks(body, colon) + 1;
  return ID_KEYS.some((key) => {
    const from = keyEnd - key.length;
    return from > 0 && body.compare(key, 0, key.length, from, keyEnd) === 0 && body[from - 1] !== BACKSLASH;
  });
}

function beforeBlanks(body: Buffer, from: number): number {
  let at = from - 1;
  while (body[at]! <= 0x20) at -= 1;
  return at;
}
