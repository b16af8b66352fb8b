/*
 * What OpenAI-style events say, told by their bytes: events are parsed only where one of these marks is found.
 */

/** Without its opening quote: the search looks natively for the first byte, and a quote is the commonest of JSON. */
const USAGE = Buffer.from('usage"');
const FINISH = Buffer.from('finish_reason"');
const DONE = [Buffer.from('data: [DONE]'), Buffer.from('data:[DONE]')];
/** Behind a key whose value is an object with anything in it there are at least so many bytes. */
const LEAST_BEHIND = 8;
const NO_USAGE = Buffer.from('"usage":null}\n\n');
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COLON = 0x3a;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;

/** Offset behind the first `"usage"` key at or behind `from` whose value is an object (not null); -1: there is none. */
export function nextUsage(bytes: Buffer, from: number): number {
  if (from === 0 && saysNoUsage(bytes)) return -1;
  let search = from;
  while (bytes.length - search > LEAST_BEHIND) {
    const at = bytes.indexOf(USAGE, search);
    if (at < 0) return -1;
    search = at + USAGE.length;
    if (at > 0 && bytes[at - 1] === QUOTE && valueBegins(bytes, search) === OPEN_BRACE) return search;
  }
  return -1;
}

/**
 * One event that ends in `"usage":null`, as nearly every chunk does where usage was asked for: a search for one byte
 * costs a fifth of one for a word (bench: stream-passthrough).
 */
function saysNoUsage(bytes: Buffer): boolean {
  return isAt(bytes, bytes.length - NO_USAGE.length, NO_USAGE) && bytes.indexOf(LF) === bytes.length - 2;
}

/** `data: [DONE]`; comments may stand behind it. */
export function saysDone(bytes: Buffer): boolean {
  const end = bytes.lastIndexOf(CLOSE_BRACKET) + 1;
  return DONE.some((done) => {
    const at = end - done.length;
    return isAt(bytes, at, done) && (at === 0 || bytes[at - 1] === LF || bytes[at - 1] === CR);
  });
}

/** A finish reason: the last of a whole answer where the provider sends no `[DONE]`. */
export function saysWhy(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(FINISH); at >= 0; at = bytes.indexOf(FINISH, at + 1)) {
    if (bytes[at - 1] === QUOTE && valueBegins(bytes, at + FINISH.length) === QUOTE) return true;
  }
  return false;
}

export function isAt(bytes: Buffer, at: number, what: Buffer): boolean {
  for (let i = 0; i < what.length; i += 1) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** The first byte of the value behind a key, its colon and white space; 0 where that is not what follows. */
function valueBegins(bytes: Buffer, from: number): number {
  let colon = false;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === SPACE) continue;
    if (byte !== COLON || colon) return colon ? byte : 0;
    colon = true;
  }
  return 0;
}
