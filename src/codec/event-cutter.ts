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

/**
 * Walks over bytes that are whole events, from the end of one to the end of the next, by native searches. Where a read
 * holds no CR that is found out once for all of its events, not once for each.
 */
export class EventEnds {
  #bytes: Buffer = EMPTY;
  /** Offset of a CR behind which none was looked for; -1: unknown; Infinity: there is no further one. */
  #cr = -1;

  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#cr = -1;
  }

  /** Offset behind the event that begins at `from`; what has no end goes to the last byte. */
  after(from: number): number {
    const bytes = this.#bytes;
    let lf = bytes.indexOf(LF, from);
    let cr = this.#crFrom(from);
    while (lf >= 0 || cr < bytes.length) {
      const at = lf < 0 || cr < lf ? cr : lf;
      // Bytes before `from` belong to the event before: its line end does not make this one end.
      if (emptyLineEndsAt(bytes, at, from)) return at + 1;
      if (at === lf) lf = bytes.indexOf(LF, at + 1);
      else cr = this.#crFrom(at + 1);
    }
    return bytes.length;
  }

  /** Between two reads nothing is kept of either: a thousand idle streams would each hold the memory of their last one. */
  end(): void {
    this.#bytes = EMPTY;
  }

  #crFrom(from: number): number {
    if (this.#cr < from) {
      const at = this.#bytes.indexOf(CR, from);
      this.#cr = at < 0 ? Number.POSITIVE_INFINITY : at;
    }
    return this.#cr;
  }
}

const EMPTY = Buffer.alloc(0);
