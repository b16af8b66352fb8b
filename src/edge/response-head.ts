// An import would load Node's own undici with it, since that is among the exports: 10 MB in each thread.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

const lines = new Map<number, string>();

export function statusLine(status: number): string {
  let line = lines.get(status);
  if (line === undefined) {
    line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    if (lines.size < 1000) lines.set(status, line);
  }
  return line;
}

/** What may not stand in a header value: it could end the header and begin another. RFC 9110 §5.5. */
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/g;
/** Shorter ones are looked at sooner than compared. */
const LONG = 48;
const OUTSIDE_LATIN1 = /[^\x00-\xff]/g;

/**
 * The value of the first header and all further headers as one string. The addon passes CR and LF through, so one call
 * writes the whole block (eight calls cost eight conversions); for the same reason every value is checked here.
 */
export function joinHead(headers: readonly string[]): string {
  let head = safe(headers[1]!);
  for (let i = 2; i < headers.length; i += 2) head += `\r\n${headers[i]}: ${safe(headers[i + 1]!)}`;
  return head;
}

/** The latest long value that was found safe: `x-tfy-applied-rules` is the same text object from answer to answer. */
let lastSafe = '';

function safe(value: string): string {
  if (value === lastSafe) return value;
  for (let i = 0; i < value.length; i += 1) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code > 0x7e) return value.replace(FORBIDDEN, '').replace(OUTSIDE_LATIN1, '?');
  }
  if (value.length >= LONG) lastSafe = value;
  return value;
}

/** https://www.w3.org/TR/server-timing/: our own time and the provider's, in milliseconds. */
export function serverTiming(gatewayMs: number, upstreamMs: number): string {
  const gateway = `gateway;dur=${rounded(Math.max(0, gatewayMs))}`;
  return upstreamMs > 0 ? `${gateway}, upstream;dur=${rounded(upstreamMs)}` : gateway;
}

/** Three digits, without the cost of toFixed. */
function rounded(ms: number): string {
  const micros = Math.round(ms * 1000);
  const fraction = micros % 1000;
  return `${(micros - fraction) / 1000}.${fraction < 10 ? '00' : fraction < 100 ? '0' : ''}${fraction}`;
}
