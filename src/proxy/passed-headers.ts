import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { Mount } from '../providers/provider.ts';

/** RFC 9110 §7.6.1, RFC 9113 §8.2.2: about one connection; and the framing, which is made anew. */
const OF_THE_CONNECTION = [
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['http2-settings', 'expect', 'content-length', 'proxy-authenticate', 'proxy-authorization'],
];

/** Headers in which clients bring the key of the gateway. */
const KEYS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'xi-api-key'];

/**
 * Request headers that no provider gets. The credential makes the headers of a signature; some servers let a header replace
 * the path or the method that were checked.
 */
const NOT_PASSED = new Set([
  ...OF_THE_CONNECTION,
  ...KEYS,
  ...['host', 'accept-encoding', 'cookie', 'cookie2', 'origin', 'referer', 'dnt', 'x-request-id'],
  ...['forwarded', 'via', 'x-real-ip', 'true-client-ip', 'x-client-ip', 'x-cluster-client-ip'],
  ...['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
  ...['x-original-url', 'x-rewrite-url', 'x-http-method', 'x-http-method-override', 'x-method-override'],
]);
const NOT_PASSED_BEGINNINGS = ['x-tfy-', 'x-sluice-', 'x-forwarded-', 'sec-', 'proxy-', 'cf-'];

/** Answer headers that no client gets: about our connection, our name and origin, or made by us. */
const NOT_GIVEN = new Set([
  ...OF_THE_CONNECTION,
  ...['set-cookie', 'set-cookie2', 'www-authenticate', 'date', 'server', 'via', 'server-timing'],
  ...['alt-svc', 'strict-transport-security', 'public-key-pins', 'expect-ct', 'nel', 'report-to', 'clear-site-data'],
  ...['refresh', 'service-worker-allowed', 'content-type', 'x-request-id', 'request-id'],
]);
const NOT_GIVEN_BEGINNINGS = ['x-tfy-', 'x-sluice-', 'access-control-', 'proxy-', 'x-accel-'];

const TOKEN = /^[a-z0-9!#$%&'*+.^`|~-]+$/;
/** RFC 9110 §5.5 */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MIN_SECRET_CHARACTERS = 4;

/** The keys that a client brought, without their schemes. */
export function broughtKeys(lines: readonly string[]): string[] {
  const keys: string[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    if (!KEYS.includes(lines[at]!)) continue;
    const key = lines[at + 1]!.replace(/^(?:bearer|token|basic)\s+/i, '');
    if (key.length >= MIN_SECRET_CHARACTERS) keys.push(key);
  }
  return keys;
}

/** The value of a header that may stand once; undefined: it is not there. */
export function onlyHeader(lines: readonly string[], name: string): OrError<string | undefined> {
  let value: string | undefined;
  for (let at = 0; at < lines.length; at += 2) {
    if (lines[at] !== name) continue;
    if (value !== undefined) return invalid(name, 'is repeated');
    value = lines[at + 1]!;
  }
  return value;
}

/**
 * The headers of a client as they go on, names in lower case: without those of its connection and those it lists there,
 * its keys wherever they stand, and ours. Names with an underscore are dropped, since some servers read it as a dash.
 */
export function passedHeaders(lines: readonly string[], keys: readonly string[]): OrError<string[]> {
  const listed = connectionOptions(lines);
  const passed: string[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const name = lines[at]!;
    const value = lines[at + 1]!;
    if (NOT_PASSED.has(name) || listed.has(name) || NOT_PASSED_BEGINNINGS.some((each) => name.startsWith(each)))
      continue;
    if (!TOKEN.test(name) || keys.some((key) => value.includes(key))) continue;
    if (!VALUE.test(value)) return invalid(name, 'holds a character that no header may');
    passed.push(name, value);
  }
  // A compressed answer could not be read on the way.
  passed.push('accept-encoding', 'identity');
  return passed;
}

function connectionOptions(lines: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (let at = 0; at < lines.length; at += 2) {
    if (lines[at] !== 'connection') continue;
    for (const option of lines[at + 1]!.toLowerCase().split(',')) names.add(option.trim());
  }
  return names;
}

/**
 * With those that the account sets. They stand over the client's, but for versions and the like that its provider is told
 * by clients: those go with the client's own bytes.
 */
export function withMountHeaders(
  passed: readonly string[],
  { headers, forwards }: Pick<Mount, 'headers' | 'forwards'>,
): string[] {
  const set: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const isClients = forwards.includes(headers[at]!.toLowerCase()) && hasName(passed, headers[at]!);
    if (!isClients) set.push(headers[at]!, headers[at + 1]!);
  }
  return withCredential(passed, set);
}

/** What authorises the request stands over whatever the client sent under those names. */
export function withCredential(headers: readonly string[], signed: readonly string[]): string[] {
  const all: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!hasName(signed, headers[at]!)) all.push(headers[at]!, headers[at + 1]!);
  }
  return [...all, ...signed];
}

function hasName(list: readonly string[], name: string): boolean {
  for (let at = 0; at < list.length; at += 2) if (list[at]!.toLowerCase() === name.toLowerCase()) return true;
  return false;
}

/** The head of a provider's answer as its client gets it, flat; `redact` takes our credential out of it. */
export function givenHeaders(headers: AnswerHeaders, redact: (text: string) => string): string[] {
  const listed = String(headers['connection'] ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim());
  const given: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || !TOKEN.test(name) || NOT_GIVEN.has(name) || listed.includes(name)) continue;
    if (NOT_GIVEN_BEGINNINGS.some((each) => name.startsWith(each))) continue;
    for (const each of typeof value === 'string' ? [value] : value) given.push(name, redact(each));
  }
  const id = headers['x-request-id'] ?? headers['request-id'];
  if (id !== undefined) given.push('x-upstream-request-id', redact(String(id)));
  return given;
}

function invalid(name: string, fault: string): GatewayError {
  return new GatewayError('invalid_header', { param: name, detail: `${name} ${fault}.` });
}
