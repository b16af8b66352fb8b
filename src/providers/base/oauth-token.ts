import { isObject, stringOf } from '../../codec/json-value.ts';
import type { HttpClient, HttpRequest } from '../../core/http-client.ts';
import type { FetchedToken } from '../credential.ts';
import { redaction } from './redaction.ts';

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 1024 * 1024;
const MAX_REASON_CHARACTERS = 300;

export interface TokenRequest {
  readonly url: string;
  /** Sent as a form by POST; absent: the token is asked by GET. */
  readonly form?: Readonly<Record<string, string | undefined>>;
  /** Flat name-value pairs. */
  readonly headers?: readonly string[];
  readonly proxy?: HttpRequest['proxy'];
  readonly signal: AbortSignal;
  /** What must not stand in a reason. */
  readonly secrets?: readonly string[];
}

/**
 * An access token, as OAuth 2 and the identity endpoints of clouds give it. Rejects with a reason for people, in which no
 * secret stands. https://www.rfc-editor.org/rfc/rfc6749#section-5
 */
export async function oauthToken(http: HttpClient, request: TokenRequest): Promise<FetchedToken> {
  const { url, form, headers = [], proxy, signal, secrets = [] } = request;
  const answer = await http({
    url,
    headers: ['accept', 'application/json', ...headers, ...(form ? FORM : [])],
    ...(form && { method: 'POST', body: formBody(form) }),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    signal,
    proxy,
  });
  const said = jsonOf(answer.body);
  const token = stringOf(said['access_token']);
  const { host } = new URL(url);
  if (answer.status !== 200 || token === undefined) {
    const reason = redaction(secrets)(reasonOf(said) || 'no token and no reason');
    throw new Error(`${host} answered ${answer.status}: ${reason}`);
  }
  const expiresAtMs = endOf(said);
  if (expiresAtMs === undefined) throw new Error(`${host} does not say how long its token lives`);
  return { values: { token }, expiresAtMs };
}

const FORM = ['content-type', 'application/x-www-form-urlencoded'];

function formBody(form: Readonly<Record<string, string | undefined>>): string {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) if (value !== undefined) fields.set(name, value);
  return fields.toString();
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (isObject(value)) return value;
  } catch {
    // A page of whatever stands in between: it holds no token.
  }
  return {};
}

/** `expires_in` seconds from now; identity endpoints write numbers as texts, and some `expires_on` alone. */
function endOf(said: Readonly<Record<string, unknown>>): number | undefined {
  const seconds = numberOf(said['expires_in']);
  if (seconds !== undefined) return Date.now() + seconds * 1000;
  const at = numberOf(said['expires_on']);
  return at === undefined ? undefined : at * 1000;
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** The first line says it; Entra adds a trace of several. */
function reasonOf(said: Readonly<Record<string, unknown>>): string {
  const words = [said['error'], said['error_description'] ?? said['message']].flatMap((each) => stringOf(each) ?? []);
  return words.join(': ').split(/\r?\n/)[0]!.slice(0, MAX_REASON_CHARACTERS);
}
