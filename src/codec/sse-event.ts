/*
 * One whole server-sent event, read where a parser for a stream would be too much:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
const DATA = Buffer.from('data:');
const BOM = '\ufeff';

export interface SseEvent {
  /** The value of its `event` field. */
  readonly name: string | undefined;
  /** Its data lines; undefined: it has none, as a comment. */
  readonly data: string | undefined;
}

/** The event in bytes[start, end). Nothing outside of it is looked at. */
export function readEvent(bytes: Buffer, start: number, end: number): SseEvent {
  if (beginsWithData(bytes, start)) {
    // Nearly every event is one line of data, and need not be split.
    const text = bytes.toString('utf8', start + DATA.length, end).trim();
    if (!text.includes('\n') && !text.includes('\r')) return { name: undefined, data: text };
  }
  let name: string | undefined;
  let data: string | undefined;
  for (const line of lines(bytes.toString('utf8', start, end))) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') name = value === '' ? undefined : value;
  }
  return { name, data };
}

export function beginsWithData(bytes: Buffer, start: number): boolean {
  for (let i = 0; i < DATA.length; i += 1) if (bytes[start + i] !== DATA[i]) return false;
  return true;
}

function lines(text: string): string[] {
  return (text.startsWith(BOM) ? text.slice(1) : text).split(/\r\n|\n|\r/);
}
