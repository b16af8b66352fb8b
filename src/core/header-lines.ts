/** Headers of answers that are given again and again: checked and joined once. */
export interface JoinedHeaders {
  /** Flat name-value pairs. */
  readonly list: readonly string[];
  /** As they are sent, each behind a line end. */
  readonly lines: string;
}

export function joinedHeaders(list: readonly string[]): JoinedHeaders {
  return { list, lines: headerLines(list, 0) };
}

/** Each behind a line end, with values that are safe to send. `from`: where the first name stands. */
export function headerLines(headers: readonly string[], from: number): string {
  let lines = '';
  for (let i = from; i < headers.length; i += 2) lines += `\r\n${headers[i]}: ${safeValue(headers[i + 1]!)}`;
  return lines;
}

/** What may not stand in a header value: it could end the header and begin another. RFC 9110 §5.5. */
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/g;
/** Shorter ones are looked at sooner than compared. */
const LONG = 48;
const OUTSIDE_LATIN1 = /[^\x00-\xff]/g;

/** The latest long value that was found safe: `x-tfy-applied-rules` is the same text object from answer to answer. */
let lastSafe = '';

/** Without what may not stand in a header. */
export function safeValue(value: string): string {
  if (value === lastSafe) return value;
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code > 0x7e) return value.replace(FORBIDDEN, '').replace(OUTSIDE_LATIN1, '?');
  }
  if (value.length >= LONG) lastSafe = value;
  return value;
}
