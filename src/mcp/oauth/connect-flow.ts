import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { McpOAuth, McpServer } from '../../config/mcp/mcp-servers.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Log } from '../../core/log.ts';
import type { McpPlace } from '../../store/mcp-connections.ts';
import { type Connections, lifeOf } from './connections.ts';
import { type AuthorizationFacts, type Discovery, DiscoveryFault } from './discovery.ts';
import { redirectUriOf } from './own-addresses.ts';
import { type McpRows, RowsAway } from './rows.ts';
import { askForToken, oauthClientSchema, TokenFault } from './token-endpoint.ts';
import type { UpstreamClients } from './upstream-clients.ts';
import type { Vault } from './vault.ts';

export interface ConnectFlowOptions {
  readonly rows: McpRows;
  readonly vault: Vault;
  readonly http: HttpClient;
  readonly log: Log;
  readonly discovery: Discovery;
  readonly clients: UpstreamClients;
  readonly connections: Connections;
  now(): number;
  /** By name; undefined: it is gone, or asks nobody to agree. */
  server(name: string): OAuthServer | undefined;
}

export type OAuthServer = {
  readonly name: string;
  readonly kind: 'remote' | 'openapi';
  readonly url: string;
  readonly auth: McpOAuth;
};

/** Where the browser goes when this server is done with. */
export interface Onward {
  /** Servers that the user is asked for after this one. */
  readonly servers: readonly string[];
  /** The address of a client, with its code; undefined: a page of ours says that all went well. */
  readonly address?: string | undefined;
}

export interface Returned {
  readonly place: McpPlace;
  readonly onward: Onward;
  /** Why there is no token; undefined: there is one now. */
  readonly fault: string | undefined;
}

/** A user has this long to agree. */
const PENDING_MS = 600_000;

/** The way of a user's browser to the issuer of a server, and back with a code that becomes a token. */
export class ConnectFlow {
  readonly #options: ConnectFlowOptions;

  constructor(options: ConnectFlowOptions) {
    this.#options = options;
  }

  /** The address where the user agrees; a text says why there is none. `browser`: what sets this browser apart. */
  async begin(
    place: McpPlace,
    base: string,
    browser: string,
    onward: Onward,
  ): Promise<{ readonly address: string } | string> {
    const { discovery, clients, connections, rows, vault, now } = this.#options;
    const server = this.#options.server(place.server);
    if (!server) return 'nobody has to agree there';
    const redirectUri = redirectUriOf(base, server.name);
    try {
      // A server may have moved to another issuer since.
      discovery.forget(server);
      const found = await discovery.of(server);
      const scopes = [...new Set([...found.scopes, ...(await connections.wantedOf(place))])];
      const facts = { ...found, scopes };
      const client = await clients.of(server.name, server.auth, facts, redirectUri);
      const state = randomBytes(24).toString('base64url');
      const verifier = randomBytes(32).toString('base64url');
      const pending: Pending = { place, verifier, browser: digestOf(browser), redirectUri, client, onward };
      const secret = vault.close(pendingPlace(state), pending);
      await rows.putPending({ id: state, owner: place.subject, secret, expiresAt: now() + PENDING_MS });
      return {
        address: authorizationAddress(server.auth, facts, { clientId: client.id, redirectUri, state, verifier }),
      };
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** The browser came back. Undefined: nobody here sent it, or it is another browser; then nothing was done. */
  async finish(serverName: string, query: URLSearchParams, browser: string | undefined): Promise<Returned | undefined> {
    const { rows, vault } = this.#options;
    const state = query.get('state') ?? '';
    const sealed = /^[\w-]{32}$/.test(state) ? await rows.takePending(state) : undefined;
    const read = pendingSchema.safeParse(sealed === undefined ? undefined : vault.open(pendingPlace(state), sealed));
    const pending = read.success ? read.data : undefined;
    if (!pending || pending.place.server !== serverName) return undefined;
    // A state that was stolen, or sent to somebody else: the token would be of one user and for another.
    if (browser === undefined || !isEqual(pending.browser, digestOf(browser))) return undefined;
    const { place, onward } = pending;
    const error = query.get('error');
    if (error !== null) return { place, onward, fault: `its issuer answered ${error.slice(0, 100)}` };
    try {
      await this.#redeem(pending, query);
      return { place, onward, fault: undefined };
    } catch (fault) {
      return { place, onward, fault: reasonOf(fault) };
    }
  }

  async #redeem(pending: Pending, query: URLSearchParams): Promise<void> {
    const { discovery, clients, connections, http, now } = this.#options;
    const { place, client, redirectUri, verifier } = pending;
    const server = this.#options.server(place.server);
    if (!server) throw new TokenFault('the server is not there any more');
    const facts = await discovery.of(server);
    const iss = query.get('iss');
    // RFC 9207 §2.4: a code of another issuer is not taken to this one.
    if (facts.issuer !== undefined && (iss === null ? facts.issInAnswer : iss !== facts.issuer)) {
      throw new TokenFault('the answer is of another issuer');
    }
    const code = query.get('code');
    if (code === null || code.length > 4096) throw new TokenFault('its issuer gave no code');
    const { parameters, tokenField, introspectionUrl } = server.auth;
    const form = new URLSearchParams({
      ...parameters,
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource: facts.resource,
    });
    const answer = await askForToken(http, facts.tokenUrl, client, form, tokenField).catch(async (error: unknown) => {
      if (error instanceof TokenFault && error.code === 'invalid_client') {
        await clients.forget(server.name, facts, redirectUri);
      }
      throw error;
    });
    const asked = introspectionUrl === undefined ? { client } : { client, introspectionUrl };
    const lifeMs = await lifeOf(http, asked, answer, now());
    const { refresh } = answer;
    const { revocationUrl } = facts;
    await connections.putToken(
      place,
      facts.issuer ?? new URL(facts.tokenUrl).origin,
      { ...answer, lifeMs },
      {
        token: answer.value,
        ...(refresh !== undefined && { refresh }),
        client,
        tokenUrl: facts.tokenUrl,
        tokenField,
        ...(introspectionUrl !== undefined && { introspectionUrl }),
        ...(revocationUrl !== undefined && { revocationUrl }),
        resource: facts.resource,
      },
    );
  }
}

/** Undefined: its users need not agree to anything. */
export function asOAuthServer(server: McpServer | undefined): OAuthServer | undefined {
  if (server?.kind !== 'remote' && server?.kind !== 'openapi') return undefined;
  const { auth, kind, name, url } = server;
  return auth.type === 'oauth2' && auth.grant === 'authorization_code' ? { name, kind, url, auth } : undefined;
}

function authorizationAddress(
  auth: McpOAuth,
  facts: AuthorizationFacts,
  asked: { clientId: string; redirectUri: string; state: string; verifier: string },
): string {
  const url = new URL(facts.authorizationUrl);
  const parameters: Record<string, string> = {
    ...auth.authorizationParameters,
    response_type: 'code',
    client_id: asked.clientId,
    redirect_uri: asked.redirectUri,
    state: asked.state,
    code_challenge: createHash('sha256').update(asked.verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: facts.resource,
    ...(facts.scopes.length > 0 && { scope: facts.scopes.join(' ') }),
    // OpenID Connect Core §11: without it no refresh token is given.
    ...(facts.scopes.includes('offline_access') && { prompt: 'consent' }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

const pendingSchema = z.object({
  place: z.object({ subject: z.string(), server: z.string(), account: z.string() }),
  verifier: z.string(),
  browser: z.string(),
  redirectUri: z.string(),
  client: oauthClientSchema,
  onward: z.object({ servers: z.array(z.string()).readonly(), address: z.string().optional() }),
});

type Pending = z.output<typeof pendingSchema>;

function pendingPlace(state: string): string {
  return `connect ${state}`;
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

export function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function reasonOf(error: unknown): string {
  if (error instanceof TokenFault || error instanceof DiscoveryFault || error instanceof RowsAway) return error.message;
  return 'the gateway failed';
}
