/*
 * One whole server-sent event, read where a parser for a stream would be too much:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
const LF = 0x0a;
const CR = 0x0d;
const DATA = Buffer.from('data:');
const BOM = '\ufeff';

export interface SseEvent {
  /** The value of its `event` field. */
  readonly name: string | undefined;
  /** Its data lines; undefined: it has none, as a comment. */
  readonly data: string | undefined;
}

/** The event in bytes[start, end). */
export function readEvent(bytes: Buffer, start: number, end: number): SseEvent {
  if (isOneDataLine(bytes, start, end)) {
    const text = bytes.toString('utf8', start + DATA.length, end).trim();
    return { name: undefined, data: text };
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

/** Whether its only line is one of data: nearly every event is, and need not be split. */
function isOneDataLine(bytes: Buffer, start: number, end: number): boolean {
  for (let i = 0; i < DATA.length; i += 1) if (bytes[start + i] !== DATA[i]) return false;
  let last = end;
  while (last > start && (bytes[last - 1] === LF || bytes[last - 1] === CR)) last -= 1;
  const lf = bytes.indexOf(LF, start);
  const cr = bytes.indexOf(CR, start);
  return (lf < 0 || lf >= last) && (cr < 0 || cr >= last);
}

function lines(text: string): string[] {
  return (text.startsWith(BOM) ? text.slice(1) : text).split(/\r\n|\n|\r/);
}
