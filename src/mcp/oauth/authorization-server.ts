import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { McpSettings } from '../../config/server/mcp.ts';
import type { McpPageAnswer, McpSignedIn } from '../../threads/mcp-messages.ts';
import { mcpAddress } from '../clients/addresses.ts';
import type { Seal } from '../clients/seal.ts';
import { askedScopes, isWithinScopes, scopeOf } from '../protocol/scopes.ts';
import { digestOf, isEqual } from './connect-flow.ts';
import { isRegistered, type McpClient, type OAuthClients } from './oauth-clients.ts';
import type { McpRows } from './rows.ts';
import type { Vault } from './vault.ts';

export interface AuthorizationServerOptions {
  readonly rows: McpRows;
  readonly vault: Vault;
  readonly seal: Seal;
  readonly clients: OAuthClients;
  settings(): McpSettings;
  now(): number;
}

/** What a client asks for, checked. */
export interface Asked {
  readonly client: McpClient;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly challenge: string;
  readonly resource: string;
  /** The server behind it; undefined: all of them. */
  readonly server: string | undefined;
  readonly scopes: readonly string[];
}

/** `page`: the client cannot be trusted with an answer. `address`: its own, with the error; `why` for people. */
export type AskedWrongly = { readonly page: string } | { readonly address: string; readonly why: string };

const CODE_MS = 60_000;
const FORM_MS = 600_000;
const REFRESH = 'mcp oauth refresh';

const formSchema = z.object({ query: z.string(), browser: z.string(), untilMs: z.number() });
const grantSchema = z.object({
  clientId: z.string(),
  clientName: z.string(),
  redirectUri: z.string(),
  challenge: z.string(),
  resource: z.string(),
  issuer: z.string(),
  keyId: z.string(),
  keyFrom: z.enum(['configured', 'issued', 'outside']),
  subject: z.string(),
  teams: z.array(z.string()),
  metadata: z.record(z.string(), z.string()),
  /** Absent in what was given before there were any: all of the server. */
  scopes: z.array(z.string()).optional(),
  endsAtMs: z.number(),
});
const refreshSchema = z.object({ i: z.string(), g: z.number() });

type Grant = z.output<typeof grantSchema>;

/**
 * The gateway as its own authorization server for clients of MCP: OAuth 2.1 with codes and PKCE alone, public clients alone,
 * tokens that are good at one address. Whoever has a key of the gateway signs a client in with it.
 */
export class AuthorizationServer {
  readonly #options: AuthorizationServerOptions;

  constructor(options: AuthorizationServerOptions) {
    this.#options = options;
  }

  register(body: string): McpPageAnswer {
    const client = this.#options.clients.register(body);
    if (!client) {
      const description =
        'redirect_uris must be 1 to 10 addresses: https, http on this machine, or of a scheme of an application.';
      return json(400, { error: 'invalid_redirect_uri', error_description: description });
    }
    return json(201, {
      client_id: client.id,
      client_id_issued_at: Math.floor(this.#options.now() / 1000),
      client_name: client.name,
      redirect_uris: client.redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
  }

  /** What the query of `authorize` asks for. */
  async asked(query: URLSearchParams, base: string): Promise<Asked | AskedWrongly> {
    if (repeats(query)) return { page: 'A parameter of the request is repeated.' };
    const client = await this.#options.clients.of(query.get('client_id') ?? '', base);
    if (!client)
      return { page: 'This client is not known here: it has to register itself, or to be asked for its document.' };
    const written = query.get('redirect_uri');
    const redirectUri = written ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined);
    if (redirectUri === undefined || !isRegistered(client, redirectUri)) {
      return { page: 'The client wants the answer to go to an address that it has not registered.' };
    }
    const state = query.get('state') ?? undefined;
    const wrong = (error: string, description: string): AskedWrongly => ({
      address: withParameters(redirectUri, { error, error_description: description, state, iss: base }),
      why: description,
    });
    if (query.get('response_type') !== 'code') return wrong('unsupported_response_type', 'response_type must be code');
    const challenge = query.get('code_challenge') ?? '';
    if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge)) {
      return wrong('invalid_request', 'PKCE is needed, with code_challenge_method=S256');
    }
    const resource = resourceOf(query.get('resource'), base);
    if (!resource) return wrong('invalid_target', 'resource must be the address of an MCP server of this gateway');
    const scopes = askedScopes(query.get('scope'), resource.server);
    if (!scopes) {
      const known = (['all', 'read'] as const).map((reach) => scopeOf(resource.server, reach)).join(' or ');
      return wrong('invalid_scope', `scope must be ${known}`);
    }
    return { client, redirectUri, state, challenge, scopes, ...resource };
  }

  /** The secret of a form: it binds what was asked to the browser that saw it. */
  form(query: string, browser: string): string {
    const value = { query, browser: digestOf(browser), untilMs: this.#options.now() + FORM_MS };
    return this.#options.vault.close('authorize form', value);
  }

  /** The query that the form was made for; undefined: it is another browser's, or too old. */
  ofForm(form: string, browser: string | undefined): string | undefined {
    const read = formSchema.safeParse(this.#options.vault.open('authorize form', form));
    if (!read.success || browser === undefined || !isEqual(read.data.browser, digestOf(browser))) return undefined;
    return this.#options.now() < read.data.untilMs ? read.data.query : undefined;
  }

  /** The address of the client, with a code. `on the way`: the user has to agree elsewhere first. Rejects with RowsAway. */
  async agreed(asked: Asked, base: string, who: McpSignedIn, goes: 'at once' | 'on the way'): Promise<string> {
    const { rows, vault, now, settings } = this.#options;
    const code = randomBytes(32).toString('base64url');
    const id = digestOf(code);
    const grant: Grant = {
      clientId: asked.client.id,
      clientName: asked.client.name,
      redirectUri: asked.redirectUri,
      challenge: asked.challenge,
      resource: asked.resource,
      issuer: base,
      keyId: who.keyId,
      keyFrom: who.keyFrom,
      subject: who.subject,
      teams: [...who.teams],
      metadata: { ...who.metadata },
      scopes: [...asked.scopes],
      endsAtMs: Math.min(now() + settings().signInMs, who.expiresAtMs ?? Number.POSITIVE_INFINITY),
    };
    const secret = vault.close(`code ${id}`, grant);
    await rows.putPending({
      id,
      owner: `code:${who.subject}`,
      secret,
      expiresAt: now() + (goes === 'at once' ? CODE_MS : FORM_MS),
    });
    return withParameters(asked.redirectUri, { code, state: asked.state, iss: base });
  }

  refusedBy(asked: Asked, base: string): string {
    return withParameters(asked.redirectUri, { error: 'access_denied', state: asked.state, iss: base });
  }

  /** Rejects with RowsAway. */
  async token(form: URLSearchParams): Promise<McpPageAnswer> {
    if (repeats(form)) return refused('invalid_request', 'A parameter is repeated.');
    switch (form.get('grant_type')) {
      case 'authorization_code':
        return this.#byCode(form);
      case 'refresh_token':
        return this.#byRefresh(form);
      default:
        return refused('unsupported_grant_type', 'grant_type must be authorization_code or refresh_token.');
    }
  }

  /** RFC 7009: of a refresh token; an access token ends by itself. Rejects with RowsAway. */
  async revoke(form: URLSearchParams): Promise<McpPageAnswer> {
    const read = refreshSchema.safeParse(this.#options.seal.open(REFRESH, form.get('token') ?? ''));
    if (read.success) await this.#options.rows.deleteSignIn(read.data.i);
    return { status: 200, headers: NO_STORE, body: '' };
  }

  async #byCode(form: URLSearchParams): Promise<McpPageAnswer> {
    const { rows, vault, now } = this.#options;
    const id = digestOf(form.get('code') ?? '');
    const secret = await rows.takePending(id);
    if (secret === undefined) {
      // RFC 6749 §4.1.2: of a code that is used twice the tokens end, too.
      await rows.deleteSignIn(id);
      return refused('invalid_grant', 'The code is not known, was used, or is too old.');
    }
    const read = grantSchema.safeParse(vault.open(`code ${id}`, secret));
    if (!read.success) return refused('invalid_grant', 'The code is not known.');
    const grant = read.data;
    if (form.get('client_id') !== grant.clientId) return refused('invalid_grant', 'The code is of another client.');
    const redirectUri = form.get('redirect_uri');
    if (redirectUri !== null && redirectUri !== grant.redirectUri) {
      return refused('invalid_grant', 'The code was sent to another address.');
    }
    const verifier = form.get('code_verifier') ?? '';
    const proof = createHash('sha256').update(verifier).digest('base64url');
    if (!/^[\w.~-]{43,128}$/.test(verifier) || !isEqual(proof, grant.challenge)) {
      return refused('invalid_grant', 'The code_verifier does not fit.');
    }
    const resource = form.get('resource');
    if (resource !== null && resourceOf(resource, grant.issuer)?.resource !== grant.resource) {
      return refused('invalid_target', 'The code is for another resource.');
    }
    const times = { createdAt: now(), usedAt: now(), expiresAt: Math.floor(grant.endsAtMs) };
    const { subject, clientName: client } = grant;
    const sealedGrant = vault.close(`sign-in ${id}`, grant);
    await rows.putSignIn({
      id,
      subject,
      client,
      resource: grant.resource,
      secret: sealedGrant,
      generation: 1,
      ...times,
    });
    return this.#given(id, 1, grant);
  }

  async #byRefresh(form: URLSearchParams): Promise<McpPageAnswer> {
    const { rows, vault, seal } = this.#options;
    const token = refreshSchema.safeParse(seal.open(REFRESH, form.get('refresh_token') ?? ''));
    if (!token.success) return refused('invalid_grant', 'The refresh_token is not known.');
    const { i: id, g: generation } = token.data;
    const signIn = await rows.nextOfSignIn(id, generation);
    if (!signIn) return refused('invalid_grant', 'The refresh_token was used, was revoked, or is too old.');
    const read = grantSchema.safeParse(vault.open(`sign-in ${id}`, signIn.secret));
    if (!read.success || form.get('client_id') !== read.data.clientId) {
      await rows.deleteSignIn(id);
      return refused('invalid_grant', 'The refresh_token is of another client.');
    }
    const resource = form.get('resource');
    if (resource !== null && resourceOf(resource, read.data.issuer)?.resource !== read.data.resource) {
      return refused('invalid_target', 'The refresh_token is for another resource.');
    }
    const narrower = scopesFor(form.get('scope'), read.data);
    if (!narrower) return refused('invalid_scope', 'The refresh_token was not given for that scope.');
    return this.#given(id, signIn.generation, { ...read.data, scopes: narrower });
  }

  async #given(id: string, generation: number, grant: Grant): Promise<McpPageAnswer> {
    const { rows, seal, settings, now } = this.#options;
    const issuedAt = Math.floor(now() / 1000);
    const endsAt = Math.floor(Math.min(now() + settings().tokenMs, grant.endsAtMs) / 1000);
    const scope = scopesOf(grant).join(' ');
    const token = await rows.accessToken({
      iss: grant.issuer,
      aud: grant.resource,
      sub: grant.subject,
      client_id: grant.clientId.slice(0, 200),
      jti: randomBytes(12).toString('base64url'),
      iat: issuedAt,
      exp: endsAt,
      key_id: grant.keyId,
      key_from: grant.keyFrom,
      scope,
      teams: grant.teams,
      metadata: grant.metadata,
    });
    const answer = json(200, {
      access_token: token,
      token_type: 'Bearer',
      expires_in: Math.max(0, endsAt - issuedAt),
      refresh_token: seal.close(REFRESH, { i: id, g: generation }),
      scope,
    });
    return { ...answer, given: { token, address: grant.resource } };
  }
}

export const NO_STORE: readonly string[] = ['cache-control', 'no-store'];

export function json(status: number, value: object): McpPageAnswer {
  return { status, headers: ['content-type', 'application/json', ...NO_STORE], body: JSON.stringify(value) };
}

/** RFC 6749 §5.2. */
function refused(error: string, description: string): McpPageAnswer {
  return json(400, { error, error_description: description });
}

function scopesOf({ scopes, resource, issuer }: Grant): readonly string[] {
  return scopes ?? [scopeOf(resourceOf(resource, issuer)?.server, 'all')];
}

/** RFC 6749 §6: what a client asks for anew may be less. Undefined: it is more. */
function scopesFor(written: string | null, grant: Grant): string[] | undefined {
  const given = scopesOf(grant);
  if (written === null || written.trim() === '') return [...given];
  const asked = askedScopes(written, resourceOf(grant.resource, grant.issuer)?.server);
  return asked && isWithinScopes(asked, given) ? [...asked] : undefined;
}

/** The address as tokens name it, and its server. */
function resourceOf(
  written: string | null,
  base: string,
): { readonly resource: string; readonly server: string | undefined } | undefined {
  if (written === null || !URL.canParse(written)) return undefined;
  const url = new URL(written);
  if (url.origin !== base || url.search !== '' || url.hash !== '') return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  const address = mcpAddress(path);
  return address && { resource: base + path, server: address.server };
}

/** RFC 6749 §3.1: parameters stand once. */
function repeats(parameters: URLSearchParams): boolean {
  const names = [...parameters.keys()];
  return new Set(names).size !== names.length;
}

function withParameters(address: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return `${address}${address.includes('?') ? '&' : '?'}${query}`;
}
