import type { Edit } from '../openai-json/edited-body.ts';

const DEVELOPER = Buffer.from('"developer"');
const SYSTEM = Buffer.from('"system"');
const ROLE = Buffer.from('"role"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
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
    at = stringEnd(body, text);
    if (depth === MESSAGE_DEPTH) {
      if (isKey(body, at)) isRole = equals(body, text, at, ROLE);
      else if (isRole && equals(body, text, at, DEVELOPER)) edits.push({ start: text, end: at, bytes: SYSTEM });
    }
    if (at > next) next = body.indexOf(DEVELOPER, at);
  }
  return edits;
}

/** Behind the closing quote of the string that begins at `from`. */
function stringEnd(body: Buffer, from: number): number {
  for (let quote = body.indexOf(QUOTE, from + 1); quote >= 0; quote = body.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1;
    while (body[before] === BACKSLASH) before -= 1;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
  }
  return body.length;
}

/** What follows behind white space is a colon. */
function isKey(body: Buffer, from: number): boolean {
  let at = from;
  while (body[at]! <= 0x20) at += 1;
  return body[at] === COLON;
}

function equals(body: Buffer, start: number, end: number, word: Buffer): boolean {
  return end - start === word.length && body.compare(word, 0, word.length, start, end) === 0;
}
