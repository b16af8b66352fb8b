const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const COLON = 0x3a;

/** Behind the closing quote of the string that begins at `from`; its grammar was checked before. */
export function stringEndAt(body: Buffer, from: number): number {
  for (let quote = body.indexOf(QUOTE, from + 1); quote >= 0; quote = body.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1;
    while (body[before] === BACKSLASH) before -= 1;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
  }
  return body.length;
}

/** Whether the string that ends at `from` is a key: what follows it behind white space is a colon. */
export function isKeyAt(body: Buffer, from: number): boolean {
  let at = from;
  while (body[at]! <= SPACE) at += 1;
  return body[at] === COLON;
}
