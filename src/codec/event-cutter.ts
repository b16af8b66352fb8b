/*
 * Where events of a stream end: a line end directly behind a line end, each of LF, CR or CRLF, mixed too (WHATWG:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
 */
const LF = 0x0a;
const CR = 0x0d;

/** Whether an empty line ends with the byte at `at`; bytes before `from` do not count. */
function emptyLineEndsAt(bytes: Buffer, at: number, from: number): boolean {
  if (at - 1 < from) return false;
  const byte = bytes[at];
  const before = bytes[at - 1];
  if (byte === LF) {
    if (before === LF) return true;
    // CRLF is one line end; the one before it may be any.
    return before === CR && at - 2 >= from && (bytes[at - 2] === LF || bytes[at - 2] === CR);
  }
  // Behind LF a CR may be the first half of CRLF: its LF decides.
  return byte === CR && before === CR;
}

/** Offset behind the last empty line in bytes[from, end), i.e. behind the last whole event; -1: there is none. */
export function lastEventEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = end - 1; at > from; at -= 1) if (emptyLineEndsAt(bytes, at, from)) return at + 1;
  return -1;
}

/** Whether the bytes end with an empty line: they hold whole events and nothing else. */
export function endsWithEvent(bytes: Buffer): boolean {
  return emptyLineEndsAt(bytes, bytes.length - 1, 0);
}

/** Offset behind the first empty line whose last byte is at or behind `from`; -1: there is none. */
export function nextEventEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if ((byte === LF || byte === CR) && emptyLineEndsAt(bytes, at, 0)) return at + 1;
  }
  return -1;
}

/** The event in which the byte at `at` stands; what has no end yet goes to the last byte. */
export function eventAround(bytes: Buffer, at: number): { start: number; end: number } {
  const end = nextEventEnd(bytes, at);
  return { start: Math.max(lastEventEnd(bytes, 0, at), 0), end: end < 0 ? bytes.length : end };
}
