const BACKSLASH = 0x5c;
const SMALL_U = 0x75;
/** A longer text is counted as it is written, escapes and all: that is one native call. */
const MAX_COUNTED_BYTES = 1_048_576;

/** Characters (Unicode code points) of the JSON string at body[start, end), quotes included; none where it is no string. */
export function spokenCharacters(body: Buffer, start: number, end: number): number {
  if (body[start] !== 0x22) return 0;
  if (end - start > MAX_COUNTED_BYTES) return body.toString('utf8', start + 1, end - 1).length;
  let count = 0;
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = body[at]!;
    if (byte === BACKSLASH) {
      at += 1;
      if (body[at] === SMALL_U) {
        // The second half of a pair belongs to the character before: \uDC00 to \uDFFF.
        const isLowHalf = (body[at + 1]! | 0x20) === 0x64 && (body[at + 2]! | 0x20) >= 0x63;
        at += 4;
        if (isLowHalf) continue;
      }
      count += 1;
    } else if ((byte & 0xc0) !== 0x80) count += 1;
  }
  return count;
}
