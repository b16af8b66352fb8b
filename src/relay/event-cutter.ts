const LF = 0x0a;
const CR = 0x0d;

/** Offset behind the last empty line in bytes[from, end), i.e. behind the last whole event; -1: there is none. */
export function lastEventEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = end - 1; at > from; at -= 1) {
    const byte = bytes[at];
    if (byte === LF) {
      const before = bytes[at - 1];
      if (before === LF) return at + 1;
      if (before === CR && at - 3 >= from && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
    } else if (byte === CR && bytes[at - 1] === CR) return at + 1;
  }
  return -1;
}

/** Whether the bytes end with an empty line: they hold whole events and nothing else. */
export function endsWithEvent(bytes: Buffer): boolean {
  const { length } = bytes;
  if (length < 2) return false;
  const last = bytes[length - 1];
  const before = bytes[length - 2];
  if (last === LF)
    return before === LF || (before === CR && length > 3 && bytes[length - 3] === LF && bytes[length - 4] === CR);
  return last === CR && before === CR;
}

/** Offset behind the first empty line at or after `from`; -1: there is none. */
export function nextEventEnd(bytes: Buffer, from: number): number {
  for (let at = from + 1; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === LF) {
      const before = bytes[at - 1];
      if (before === LF) return at + 1;
      if (before === CR && at - 3 >= 0 && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
    } else if (byte === CR && bytes[at - 1] === CR) return at + 1;
  }
  return -1;
}
