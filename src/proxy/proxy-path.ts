import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';

/** RFC 3986 §3.3; what is percent-encoded is whole. */
const PATH = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*$/;
/** No white space, no control character, no fragment. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;
/** Servers behind servers decode again: what is still encoded after so many times hides something. */
const MAX_DECODINGS = 3;
/** `/v1`, `/v1beta`, `/v2alpha1` */
const VERSION = /^\/v\d[\w.]*(?=\/|$)/;
const LAST_VERSION = /\/v\d[\w.]*$/;
/** Our own, which no provider gets. */
const OWN_PARAMETERS = new Set(['tfyModelName', 'tfyProviderName']);
/** Base paths of the gateway that no provider knows. `/v1` is one of theirs as well. */
const OWN_BASE = /^\/api\/llm(?=\/|$)/;

/**
 * A path that no server on its way reads as another one: no `.` or `..` segment, however encoded, no empty segment, no
 * backslash and no control character.
 */
export function checkedPath(path: string): OrError<string> {
  const fault = pathFault(path);
  if (fault === undefined) return path;
  return new GatewayError('invalid_path', { detail: `${fault}.` });
}

function pathFault(path: string): string | undefined {
  if (!PATH.test(path)) return 'It holds a character that no path may, or a `%` without two hexadecimal digits';
  if (path.includes('//')) return 'It has an empty segment';
  let text = path;
  for (let decodings = 0; ; decodings += 1) {
    if (/[\x00-\x1f\x7f\\]/.test(text)) return 'It holds an encoded control character or backslash';
    // Some servers drop what stands behind a `;` of a segment.
    if (text.split('/').some((segment) => /^\.{1,2}(?:;|$)/.test(segment))) return 'It has a segment `.` or `..`';
    const decoded = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === text) return undefined;
    if (decodings === MAX_DECODINGS) return `It is encoded more than ${MAX_DECODINGS} times`;
    text = decoded;
  }
}

/** The path behind the gateway's own base path; its version is the provider's as well. */
export function withoutOwnBase(url: string): string {
  return url.replace(OWN_BASE, '');
}

/**
 * Where a path that a client knows from a provider's documentation is at that provider. `basePath`: of the account, as
 * `/openai/v1`; `wirePath`: of one of its wires. A path that names a version says all; else the account's version is
 * put before it. `/v1` of a provider that has no versions is the gateway's own.
 */
export function providerPath(path: string, basePath: string, wirePath: string | undefined): string {
  const [version = ''] = LAST_VERSION.exec(basePath) ?? VERSION.exec(wirePath ?? '') ?? [];
  const before = basePath.endsWith(version) ? basePath.slice(0, basePath.length - version.length) : basePath;
  const named = VERSION.exec(path)?.[0];
  if (named === undefined) return before + version + path;
  if (version === '' && named === '/v1') return before + path.slice(named.length);
  return before + path;
}

/** The query as it goes on: without our own parameters, and without any that holds `secrets`. */
export function passedQuery(query: string | undefined, secrets: readonly string[]): OrError<string> {
  if (query === undefined || query === '') return '';
  if (!QUERY.test(query)) {
    return new GatewayError('invalid_path', { detail: 'Its query holds a character that no query may.' });
  }
  const kept = query.split('&').filter((pair) => {
    const { name, value } = parameterIn(pair);
    return !OWN_PARAMETERS.has(name) && !secrets.some((secret) => value.includes(secret) || pair.includes(secret));
  });
  return kept.join('&');
}

/** The first value of a parameter; undefined: it is not there. */
export function queryParameter(query: string | undefined, name: string): string | undefined {
  if (query === undefined || query === '') return undefined;
  return query
    .split('&')
    .map(parameterIn)
    .find((each) => each.name === name)?.value;
}

function parameterIn(pair: string): { name: string; value: string } {
  const at = pair.indexOf('=');
  const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  return { name: decoded(name), value: decoded(value) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // A stray `%`: it stands for itself.
    return text;
  }
}
