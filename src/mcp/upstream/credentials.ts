import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { McpAuth, McpOAuth } from '../../config/mcp/mcp-servers.ts';
import type { HttpClient } from '../../core/http-client.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import type { CallContext } from '../servers/served.ts';

/** What users brought for servers of their own: values of `{{NAME}}`, and tokens that they agreed to. */
export interface UserCredentials {
  /** Of this user for this server; undefined: nothing was brought. */
  valuesOf(subject: string, server: string): Promise<Readonly<Record<string, string>> | undefined>;
}

export interface CredentialsOptions {
  readonly http: HttpClient;
  readonly users: UserCredentials;
  now(): number;
}

/** The server wants a credential that the caller has not brought. */
export class CredentialMissing extends RpcError {
  constructor(server: string, detail: string) {
    super(UPSTREAM_ERROR, `The server \`${server}\` needs a credential of yours: ${detail}.`, {
      code: 'mcp_credential_missing',
      server,
    });
  }
}

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** Of its life: then the next is fetched, while this one still works. */
const AHEAD = 0.8;
const DEFAULT_LIFE_MS = 300_000;
const FETCH_MS = 15_000;
const MAX_TOKEN_BYTES = 65_536;

/** Never sent on: they frame the message, or belong to the protocol. */
const RESERVED = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'accept',
  'accept-encoding',
  'upgrade',
  'te',
  'trailer',
  'expect',
]);

/** What authorises a caller at a server: one answer for every method. */
export class Credentials {
  readonly #options: CredentialsOptions;
  /** By token address, client and scopes. */
  readonly #tokens = new Map<
    string,
    { token: Token | undefined; underWay: Promise<Token> | undefined; refreshAtMs: number }
  >();

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** Flat name-value pairs. Rejects with an RpcError. */
  async headersFor(
    server: { readonly name: string; readonly auth: McpAuth; readonly headers: Readonly<Record<string, string>> },
    context: CallContext,
  ): Promise<string[]> {
    const merged = new Map<string, string>();
    const add = (headers: Readonly<Record<string, string>>): void => {
      for (const [name, value] of Object.entries(headers)) {
        const lower = name.toLowerCase();
        if (!RESERVED.has(lower) && !lower.startsWith('mcp-')) merged.set(lower, value);
      }
    };
    add(server.headers);
    const own = Object.hasOwn(context.serverHeaders, server.name) ? context.serverHeaders[server.name] : undefined;
    // What the client brings itself stands in place of what the gateway has.
    if (own) add(own);
    else add(await this.#headersOf(server.auth, server.name, context));
    return [...merged].flat();
  }

  /** A token was refused. True: the next call fetches another. */
  forget(auth: McpAuth): boolean {
    return auth.type === 'oauth2' && this.#tokens.delete(keyOf(auth));
  }

  async #headersOf(auth: McpAuth, server: string, context: CallContext): Promise<Readonly<Record<string, string>>> {
    switch (auth.type) {
      case 'none':
        return {};
      case 'passthrough':
        if (context.key === undefined) throw new CredentialMissing(server, 'no key came with the request');
        return { authorization: `Bearer ${context.key}` };
      case 'header': {
        if (!auth.perUser) return auth.headers;
        return filled(auth.headers, server, await this.#options.users.valuesOf(context.subject, server));
      }
      case 'oauth2': {
        if (auth.grant === 'client_credentials') {
          return { authorization: `Bearer ${(await this.#clientToken(auth, server)).value}` };
        }
        const values = await this.#options.users.valuesOf(context.subject, server);
        const token = values?.['access_token'];
        if (token === undefined) {
          throw new CredentialMissing(server, 'authorization code is not supported yet; send it in x-tfy-mcp-headers');
        }
        return { authorization: `Bearer ${token}` };
      }
    }
  }

  async #clientToken(auth: McpOAuth, server: string): Promise<Token> {
    const key = keyOf(auth);
    const now = this.#options.now();
    let known = this.#tokens.get(key);
    if (known?.token && now < known.token.expiresAtMs) {
      if (now >= known.refreshAtMs && known.underWay === undefined)
        this.#fetch(key, auth, server).catch(() => undefined);
      return known.token;
    }
    known = this.#tokens.get(key);
    return known?.underWay ?? this.#fetch(key, auth, server);
  }

  /** One at a time for each token. */
  #fetch(key: string, auth: McpOAuth, server: string): Promise<Token> {
    const known = this.#tokens.get(key) ?? { token: undefined, underWay: undefined, refreshAtMs: 0 };
    this.#tokens.set(key, known);
    known.underWay = this.#ask(auth, server)
      .then((token) => {
        known.token = token;
        known.refreshAtMs = this.#options.now() + (token.expiresAtMs - this.#options.now()) * AHEAD;
        return token;
      })
      .finally(() => {
        known.underWay = undefined;
      });
    return known.underWay;
  }

  async #ask(auth: McpOAuth, server: string): Promise<Token> {
    const form = new URLSearchParams({ ...auth.parameters, grant_type: 'client_credentials' });
    if (auth.scopes.length > 0) form.set('scope', auth.scopes.join(' '));
    const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];
    if (auth.clientSecret === undefined) form.set('client_id', auth.clientId ?? '');
    else {
      // RFC 6749 §2.3.1: both are form-encoded first.
      const pair = [auth.clientId ?? '', auth.clientSecret].map((part) => encodeURIComponent(part)).join(':');
      headers.push('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
    }
    const request = { url: auth.tokenUrl, method: 'POST', headers, body: form.toString() } as const;
    const failed = (why: string): RpcError =>
      new RpcError(UPSTREAM_ERROR, `The gateway has no token for the server \`${server}\`: ${why}.`, {
        code: 'mcp_token_failed',
      });
    const answer = await this.#options
      .http({ ...request, timeoutMs: FETCH_MS, maxBytes: MAX_TOKEN_BYTES })
      .catch((error: unknown) => {
        throw failed(error instanceof Error ? error.message : 'it cannot be fetched');
      });
    const body: JsonObject = parseObject(answer.body.toString()) ?? {};
    if (answer.status !== 200) {
      throw failed(`its issuer answered ${answer.status} ${(stringOf(body['error']) ?? '').slice(0, 100)}`.trim());
    }
    const value = stringOf(body[auth.tokenField]);
    if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) throw failed(`its issuer gave no ${auth.tokenField}`);
    const seconds = Number(body['expires_in']);
    const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : DEFAULT_LIFE_MS;
    return { value, expiresAtMs: this.#options.now() + lifeMs };
  }
}

function keyOf({ tokenUrl, clientId, clientSecret, scopes, parameters, tokenField }: McpOAuth): string {
  return JSON.stringify([tokenUrl, clientId, clientSecret, scopes, parameters, tokenField]);
}

const PLACEHOLDER = /\{\{\s*([A-Za-z0-9_.-]{1,128})\s*\}\}/g;

/** With the values of `{{NAME}}` put in. Throws a CredentialMissing. */
export function filled(
  texts: Readonly<Record<string, string>>,
  server: string,
  values: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const known = objectOf(values) ?? {};
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      text.replaceAll(PLACEHOLDER, (_all, placeholder: string) => {
        const value = Object.hasOwn(known, placeholder) ? stringOf(known[placeholder]) : undefined;
        if (value === undefined) throw new CredentialMissing(server, `the value of ${placeholder}`);
        return value;
      }),
    ]),
  );
}
