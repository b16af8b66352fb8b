import { headerLines, safeValue } from '../core/header-lines.ts';

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

/**
 * The value of the first header and all further headers as one string. The addon passes CR and LF through, so one call
 * writes the whole block (eight calls cost eight conversions); for the same reason every value is checked here.
 */
export function joinHead(headers: readonly string[]): string {
  return safeValue(headers[1]!) + headerLines(headers, 2);
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
