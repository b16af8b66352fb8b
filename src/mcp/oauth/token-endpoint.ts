import { z } from 'zod';
import { type JsonObject, parseObject, stringOf } from '../../codec/json-value.ts';
import type { HttpClient } from '../../core/http-client.ts';

/** As what the gateway is known to an issuer. `method`: RFC 7591 §2; absent: `client_secret_basic` where there is a secret. */
export const oauthClientSchema = z.object({
  id: z.string(),
  secret: z.string().optional(),
  method: z.string().optional(),
});

export type OAuthClient = z.output<typeof oauthClientSchema>;

export interface TokenAnswer {
  readonly value: string;
  readonly refresh: string | undefined;
  readonly scope: string | undefined;
  /** Milliseconds; undefined: the issuer does not say. */
  readonly lifeMs: number | undefined;
}

/** Why there is no token. The message is for people, and holds nothing secret. */
export class TokenFault extends Error {
  /** The issuer's own word (RFC 6749 §5.2), where it said one. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

const FETCH_MS = 15_000;
const MAX_ANSWER_BYTES = 65_536;
const FORM = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];

/** RFC 6749 §2.3.1: in the basic form both parts are form-encoded first. */
function authenticated(form: URLSearchParams, client: OAuthClient): readonly string[] {
  const { id, secret, method = secret === undefined ? 'none' : 'client_secret_basic' } = client;
  if (secret === undefined || method !== 'client_secret_basic') {
    form.set('client_id', id);
    if (secret !== undefined && method === 'client_secret_post') form.set('client_secret', secret);
    return FORM;
  }
  const pair = [id, secret].map((part) => encodeURIComponent(part)).join(':');
  return [...FORM, 'authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
}

/** Rejects with a TokenFault. */
export async function askForToken(
  http: HttpClient,
  tokenUrl: string,
  client: OAuthClient,
  form: URLSearchParams,
  tokenField: 'access_token' | 'id_token',
): Promise<TokenAnswer> {
  const { status, body } = await post(http, tokenUrl, form, authenticated(form, client));
  if (status !== 200 && status !== 201) {
    const code = stringOf(body['error'])?.slice(0, 100);
    throw new TokenFault(`its issuer answered ${status} ${code ?? ''}`.trim(), code);
  }
  // GitHub tells its errors with status 200.
  const code = stringOf(body['error'])?.slice(0, 100);
  if (code !== undefined) throw new TokenFault(`its issuer answered ${code}`, code);
  const value = stringOf(body[tokenField]);
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) throw new TokenFault(`its issuer gave no ${tokenField}`);
  const type = stringOf(body['token_type'])?.toLowerCase() ?? 'bearer';
  if (tokenField === 'access_token' && type !== 'bearer') {
    throw new TokenFault('its issuer gave a token that is no bearer token');
  }
  const seconds = Number(body['expires_in'] ?? Number.NaN);
  return {
    value,
    refresh: stringOf(body['refresh_token']),
    scope: stringOf(body['scope']),
    lifeMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
  };
}

/** RFC 7662: milliseconds until its end; undefined: the issuer does not say. Rejects with a TokenFault where it is none. */
export async function introspectedLife(
  http: HttpClient,
  url: string,
  client: OAuthClient,
  token: string,
  nowMs: number,
): Promise<number | undefined> {
  const form = new URLSearchParams({ token, token_type_hint: 'access_token' });
  const { status, body } = await post(http, url, form, authenticated(form, client));
  if (status !== 200) throw new TokenFault(`its introspection answered ${status}`);
  if (body['active'] !== true) throw new TokenFault('its issuer says that it is not active', 'invalid_grant');
  const seconds = body['exp'];
  return typeof seconds === 'number' ? Math.max(0, seconds * 1000 - nowMs) : undefined;
}

/** RFC 7009. Whether it arrived nobody needs to know: what the gateway kept is gone by then. */
export async function revokeToken(http: HttpClient, url: string, client: OAuthClient, token: string): Promise<void> {
  const form = new URLSearchParams({ token });
  await post(http, url, form, authenticated(form, client)).catch(() => undefined);
}

async function post(
  http: HttpClient,
  url: string,
  form: URLSearchParams,
  headers: readonly string[],
): Promise<{ status: number; body: JsonObject }> {
  const request = { url, method: 'POST', headers, body: form.toString() } as const;
  const answer = await http({
    ...request,
    timeoutMs: FETCH_MS,
    maxBytes: MAX_ANSWER_BYTES,
    reach: 'not-metadata',
  }).catch((error: unknown) => {
    throw new TokenFault(error instanceof Error ? error.message : 'its issuer cannot be asked');
  });
  return { status: answer.status, body: parseObject(answer.body.toString()) ?? {} };
}
