import { isKeyAt, stringEndAt } from '../../codec/json-object-walk.ts';
import type { Edit } from '../../codec/key-rules.ts';

const DEVELOPER = Buffer.from('"developer"');
const SYSTEM = Buffer.from('"system"');
const ROLE = Buffer.from('"role"');
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Inside of a message: the array, the object. */
const MESSAGE_DEPTH = 2;

/**
 * The edits that make system messages of developer messages: the same place in a conversation, for providers that know no
 * such role. `messages` stands at body[start, end); its strings and brackets are known to be right. Where the word does
 * not stand in it at all, as in most requests, this is one native search.
 */
export function developerEdits(body: Buffer, start: number, end: number): Edit[] {
  const edits: Edit[] = [];
  let next = body.indexOf(DEVELOPER, start);
  let depth = 0;
  let isRole = false;
  let at = start;
  // Behind the last such word nothing has to be read.
  while (next >= 0 && at < end) {
    const byte = body[at]!;
    if (byte !== QUOTE) {
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
      at += 1;
      continue;
    }
    const text = at;
    at = stringEndAt(body, text);
    if (depth === MESSAGE_DEPTH) {
      if (isKeyAt(body, at)) isRole = equals(body, text, at, ROLE);
      else if (isRole && equals(body, text, at, DEVELOPER)) edits.push({ start: text, end: at, bytes: SYSTEM });
    }
    if (at > next) next = body.indexOf(DEVELOPER, at);
  }
  return edits;
}

function equals(body: Buffer, start: number, end: number, word: Buffer): boolean {
  return end - start === word.length && body.compare(word, 0, word.length, start, end) === 0;
}
