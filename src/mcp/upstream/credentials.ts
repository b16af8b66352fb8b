import { hash, randomUUID } from 'node:crypto';
import { objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { McpAuth, McpOAuth } from '../../config/mcp/mcp-servers.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { McpPlace } from '../../store/mcp-connections.ts';
import { TOKEN_ISSUER } from '../../store/token-form.ts';
import { connectUrl, DEFAULT_ACCOUNT } from '../oauth/places.ts';
import { askForToken, TokenFault } from '../oauth/token-endpoint.ts';
import { RpcError, UPSTREAM_ERROR, URL_ELICITATION_REQUIRED } from '../protocol/json-rpc.ts';
import type { CallContext } from '../servers/served.ts';
import type { CallHooks } from './peer.ts';

/** What users brought for servers of their own: values of `{{NAME}}`, and tokens that they agreed to. */
export interface UserCredentials {
  /** Undefined: this user has not agreed. Rejects with an RpcError. */
  tokenOf(place: McpPlace): Promise<{ readonly id: string; readonly token: string } | undefined>;
  /** Undefined: nothing was brought. */
  valuesOf(place: McpPlace): Promise<Readonly<Record<string, string>> | undefined>;
  /** The server refused the token. True: the next may be taken. */
  refused(place: McpPlace): Promise<boolean>;
  /** The server wants more than the user has agreed to: she is asked for these as well when she agrees again. */
  wants(place: McpPlace, scopes: readonly string[]): void;
  /** Whether the user has agreed by then; at the clock of `now`. */
  waitFor(place: McpPlace, untilMs: number, cancelled: () => boolean): Promise<boolean>;
}

export interface CredentialsOptions {
  readonly http: HttpClient;
  readonly users: UserCredentials;
  now(): number;
  /** How long a call waits for a user who is agreeing. */
  waitMs(): number;
}

/** The server wants a credential that the caller has not brought. */
class CredentialMissing extends RpcError {
  /** Where the user can agree. */
  readonly url: string | undefined;

  constructor(server: string, detail: string, connect?: { readonly url: string; readonly code: number }) {
    const told = connect && {
      authorization_url: connect.url,
      // In the form of 2025-11-25; clients of other eras do not look at it.
      elicitations: [{ mode: 'url', elicitationId: randomUUID(), url: connect.url, message: detail }],
    };
    super(connect?.code ?? UPSTREAM_ERROR, `The server \`${server}\` needs a credential of yours: ${detail}.`, {
      code: 'mcp_credential_missing',
      server,
      ...told,
    });
    this.url = connect?.url;
  }
}

/** What a request to a server is sent with. */
export interface Granted {
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  /** Whose it is: it stays while tokens are renewed. No secret can be read from it. */
  readonly identity: string;
}

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

interface KeptToken {
  token: Token | undefined;
  underWay: Promise<Token> | undefined;
  refreshAtMs: number;
}

type Server = {
  readonly name: string;
  readonly url: string;
  readonly auth: McpAuth;
  readonly headers: Readonly<Record<string, string>>;
};

/** The part of a token's life after which the next is fetched, while this one still works. */
const AHEAD = 0.8;
const DEFAULT_LIFE_MS = 300_000;
const MAX_TOKENS = 10_000;

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
  /** By token address, client, scopes, and the caller's token that was exchanged. */
  readonly #tokens = new GenerationCache<KeptToken>(MAX_TOKENS);
  /** By manifest. */
  readonly #shared = new WeakMap<Server, Granted>();

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** No promise where nobody has to be asked. Rejects with an RpcError. */
  headersFor(server: Server, context: CallContext): Granted | Promise<Granted> {
    const own = Object.hasOwn(context.serverHeaders, server.name) ? context.serverHeaders[server.name] : undefined;
    // What the client brings itself stands in place of what the gateway has.
    if (own) return grantedOf(server, { headers: own });
    const { auth } = server;
    if (auth.type === 'none') return this.#ofAll(server, {});
    if (auth.type === 'header' && !auth.perUser) return this.#ofAll(server, auth.headers);
    return this.#headersOf(server, context).then((found) => grantedOf(server, found));
  }

  /** The same for every caller. */
  #ofAll(server: Server, headers: Readonly<Record<string, string>>): Granted {
    let granted = this.#shared.get(server);
    if (granted === undefined) {
      granted = grantedOf(server, { headers });
      this.#shared.set(server, granted);
    }
    return granted;
  }

  /** Whether `prepare` may ask the user. */
  mayAsk({ auth }: Pick<Server, 'auth'>): boolean {
    return auth.type === 'oauth2' && auth.grant === 'authorization_code';
  }

  /**
   * Before a call during which the user can be asked: where consent is missing and the client can open an address, the user
   * is asked, and the call goes on when she has agreed. Whatever is missing then, the call itself says.
   */
  async prepare(
    { name, auth }: Server,
    context: CallContext,
    hooks: Pick<CallHooks, 'ask'>,
    cancelled: () => boolean,
  ): Promise<void> {
    if (auth.type !== 'oauth2' || auth.grant !== 'authorization_code') return;
    if (Object.hasOwn(context.serverHeaders, name) || !opensAddresses(context)) return;
    const { users, now, waitMs } = this.#options;
    const place = placeOf(name, context);
    const missing = this.#missing(name, context);
    if (missing.url === undefined || (await users.tokenOf(place)) !== undefined) return;
    const message = `The MCP server ${name} needs your consent.`;
    // Clients of the modern era know no id, and need none.
    const id = context.session === undefined ? {} : { elicitationId: randomUUID() };
    const { action } = await hooks.ask('elicitation/create', { mode: 'url', message, url: missing.url, ...id });
    if (action !== 'accept') throw missing;
    if (!(await users.waitFor(place, now() + waitMs(), cancelled))) throw missing;
  }

  /** A token was refused. True: the next call has another. */
  async refused({ name, auth }: Server, context: CallContext): Promise<boolean> {
    if (auth.type !== 'oauth2' || Object.hasOwn(context.serverHeaders, name)) return false;
    if (auth.grant === 'authorization_code') return this.#options.users.refused(placeOf(name, context));
    const key = keyOf(auth, auth.grant === 'token_exchange' ? context.key : undefined);
    const known = this.#tokens.get(key) !== undefined;
    this.#tokens.delete(key);
    return known;
  }

  /** What to tell a caller whose token lacks scopes; undefined: nothing can be done about it. */
  lacking({ name, auth }: Server, context: CallContext, scopes: readonly string[]): RpcError | undefined {
    if (auth.type !== 'oauth2' || auth.grant !== 'authorization_code') return undefined;
    if (Object.hasOwn(context.serverHeaders, name)) return undefined;
    this.#options.users.wants(placeOf(name, context), scopes);
    return this.#missing(name, context);
  }

  async #headersOf(
    server: Server,
    context: CallContext,
  ): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly identity?: string }> {
    const { auth, name } = server;
    switch (auth.type) {
      case 'none':
        return { headers: {} };
      case 'passthrough':
        if (context.key === undefined) throw new CredentialMissing(name, 'no key came with the request');
        return { headers: { authorization: `Bearer ${context.key}` } };
      case 'header': {
        if (!auth.perUser) return { headers: auth.headers };
        return { headers: filled(auth.headers, name, await this.#options.users.valuesOf(placeOf(name, context))) };
      }
      case 'oauth2': {
        if (auth.grant === 'authorization_code') {
          const found = await this.#options.users.tokenOf(placeOf(name, context));
          if (found === undefined) throw this.#missing(name, context);
          return { headers: { authorization: `Bearer ${found.token}` }, identity: found.id };
        }
        const exchanged = auth.grant === 'token_exchange' ? exchangeable(context, name) : undefined;
        const { value } = await this.#sharedToken(auth, server, exchanged);
        return { headers: { authorization: `Bearer ${value}` }, identity: digestOf([keyOf(auth, exchanged)]) };
      }
    }
  }

  #missing(server: string, context: CallContext): CredentialMissing {
    const { base } = context;
    if (base === undefined)
      return new CredentialMissing(server, 'connect it at the gateway, or send it in x-tfy-mcp-headers');
    const url = connectUrl(base, server, placeOf(server, context).account);
    // The error of 2025-11-25 that says so; 2026-07-28 has none, and asks within calls instead.
    const code = context.session && opensAddresses(context) ? URL_ELICITATION_REQUIRED : UPSTREAM_ERROR;
    return new CredentialMissing(server, `agree at ${url}`, { url, code });
  }

  /** Fetched once for all, or for each caller's token; again ahead of its end. */
  async #sharedToken(auth: McpOAuth, server: Server, exchanged: string | undefined): Promise<Token> {
    const key = keyOf(auth, exchanged);
    const now = this.#options.now();
    const known = this.#tokens.get(key);
    if (known?.token && now < known.token.expiresAtMs) {
      if (now >= known.refreshAtMs && known.underWay === undefined) {
        this.#fetch(key, auth, server, exchanged).catch(() => undefined);
      }
      return known.token;
    }
    return known?.underWay ?? this.#fetch(key, auth, server, exchanged);
  }

  /** One at a time for each token. */
  #fetch(key: string, auth: McpOAuth, server: Server, exchanged: string | undefined): Promise<Token> {
    const known: KeptToken = this.#tokens.get(key) ?? { token: undefined, underWay: undefined, refreshAtMs: 0 };
    this.#tokens.set(key, known);
    known.underWay = this.#ask(auth, server, exchanged)
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

  async #ask(auth: McpOAuth, { name, url }: Server, exchanged: string | undefined): Promise<Token> {
    const { tokenUrl, clientId = '', clientSecret, scopes, parameters, tokenField } = auth;
    const grant: Record<string, string> =
      exchanged === undefined
        ? { ...parameters, grant_type: 'client_credentials' }
        : {
            // RFC 8693 §2.1; the manifest may name an audience, or another type.
            subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
            resource: url,
            ...parameters,
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            subject_token: exchanged,
          };
    const form = new URLSearchParams(grant);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    const client = { id: clientId, ...(clientSecret !== undefined && { secret: clientSecret }) };
    try {
      const { value, lifeMs = DEFAULT_LIFE_MS } = await askForToken(
        this.#options.http,
        tokenUrl ?? '',
        client,
        form,
        tokenField,
      );
      return { value, expiresAtMs: this.#options.now() + lifeMs };
    } catch (error) {
      const why = error instanceof TokenFault ? error.message : 'it cannot be fetched';
      throw new RpcError(UPSTREAM_ERROR, `The gateway has no token for the server \`${name}\`: ${why}.`, {
        code: 'mcp_token_failed',
      });
    }
  }
}

function grantedOf(
  server: Server,
  found: { readonly headers: Readonly<Record<string, string>>; readonly identity?: string },
): Granted {
  const merged = new Map<string, string>();
  for (const [name, value] of [...Object.entries(server.headers), ...Object.entries(found.headers)]) {
    const lower = name.toLowerCase();
    if (!RESERVED.has(lower) && !lower.startsWith('mcp-')) merged.set(lower, value);
  }
  const headers = [...merged].flat();
  return { headers, identity: found.identity ?? digestOf(headers) };
}

/** Whose credential a call needs. */
export function placeOf(server: string, { subject, accounts }: CallContext): McpPlace {
  const account = accounts && Object.hasOwn(accounts, server) ? accounts[server] : undefined;
  return { subject, server, account: account ?? DEFAULT_ACCOUNT };
}

/** Whether the client said that it opens addresses for its user. */
function opensAddresses({ client }: CallContext): boolean {
  return objectOf(client.capabilities['elicitation'])?.['url'] !== undefined;
}

/** The caller's token, which an outside issuer made. Keys of the gateway itself go to nobody. */
function exchangeable({ key, base }: CallContext, server: string): string {
  const parts = key?.split('.') ?? [];
  const payload = parts.length === 3 ? parseObject(Buffer.from(parts[1] ?? '', 'base64url').toString()) : undefined;
  const issuer = stringOf(payload?.['iss']);
  if (key === undefined || issuer === undefined || issuer === TOKEN_ISSUER || issuer === base) {
    throw new CredentialMissing(server, 'come with a token of an identity provider, which can be exchanged');
  }
  return key;
}

function keyOf(auth: McpOAuth, exchanged: string | undefined): string {
  const { tokenUrl, clientId, clientSecret, scopes, parameters, tokenField } = auth;
  return digestOf([JSON.stringify([tokenUrl, clientId, clientSecret, scopes, parameters, tokenField, exchanged])]);
}

/** Short, and no secret can be read from it. */
export function digestOf(texts: readonly string[]): string {
  const text = JSON.stringify(texts);
  const known = digests.get(text);
  if (known !== undefined) return known;
  const digest = hash('sha256', text, 'base64url').slice(0, 22);
  digests.set(text, digest);
  return digest;
}

/** Those of a caller are asked for several times with each of its calls. */
const digests = new GenerationCache<string>(1_000);

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
