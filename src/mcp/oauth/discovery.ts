import { isArray, type JsonObject, parseObject, stringOf } from '../../codec/json-value.ts';
import type { McpOAuth } from '../../config/mcp/mcp-servers.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import { isLoopback } from '../../core/host-name.ts';
import { type HttpClient, headerOf } from '../../core/http-client.ts';
import { isMetadataAddress } from '../../core/metadata-address.ts';
import { challengeParameter, scopesIn } from '../protocol/challenge.ts';

/** Where and how users of one server agree. */
export interface AuthorizationFacts {
  /** Undefined where the manifest says the addresses, and nobody who issues. */
  readonly issuer: string | undefined;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly registrationUrl: string | undefined;
  readonly revocationUrl: string | undefined;
  /** Each answer names its issuer (RFC 9207). */
  readonly issInAnswer: boolean;
  /** A client may be the address of a document of its own. */
  readonly clientDocuments: boolean;
  /** What tokens are asked for (RFC 8707). */
  readonly resource: string;
  readonly scopes: readonly string[];
}

/** The server says nothing that could be used. The message is for people. */
export class DiscoveryFault extends Error {}

interface OAuthServer {
  readonly name: string;
  readonly kind: 'remote' | 'openapi';
  readonly url: string;
  readonly auth: McpOAuth;
}

const FETCH_MS = 10_000;
const MAX_DOCUMENT_BYTES = 131_072;
const KNOWN_MS = 600_000;
const MAX_KNOWN = 2_000;

/** What servers and their issuers say of themselves: RFC 9728, RFC 8414. What a manifest says stands over it. */
export class Discovery {
  readonly #http: HttpClient;
  readonly #known = new GenerationCache<{ facts: Promise<AuthorizationFacts>; untilMs: number }>(MAX_KNOWN);

  constructor(http: HttpClient) {
    this.#http = http;
  }

  /** Rejects with a DiscoveryFault. */
  of(server: OAuthServer): Promise<AuthorizationFacts> {
    const key = keyOf(server);
    const now = performance.now();
    const known = this.#known.get(key);
    if (known && now < known.untilMs) return known.facts;
    const facts = this.#look(server);
    this.#known.set(key, { facts, untilMs: now + KNOWN_MS });
    facts.catch(() => this.#known.delete(key));
    return facts;
  }

  /** It is asked anew. */
  forget(server: OAuthServer): void {
    this.#known.delete(keyOf(server));
  }

  async #look({ url, auth, kind }: OAuthServer): Promise<AuthorizationFacts> {
    const { authorizationUrl, tokenUrl, registrationUrl, clientId, scopes } = auth;
    const isWritten = authorizationUrl !== undefined && tokenUrl !== undefined;
    const resource = canonical(url);
    if (isWritten && (clientId !== undefined || registrationUrl !== undefined)) {
      return {
        issuer: undefined,
        authorizationUrl,
        tokenUrl,
        registrationUrl,
        revocationUrl: undefined,
        issInAnswer: false,
        clientDocuments: false,
        resource,
        scopes,
      };
    }
    // A server elsewhere must not have the gateway ask what only this machine may.
    const mayBeLocal = isLoopback(new URL(url).hostname);
    const challenge = kind === 'remote' ? await this.#challenge(url, mayBeLocal) : NO_CHALLENGE;
    const told = await this.#protectedResource(url, challenge.metadata, mayBeLocal);
    const metadata = await this.#issuer(told?.issuer ?? new URL(url).origin, told === undefined);
    const at = (key: string): string | undefined => addressIn(metadata[key], mayBeLocal);
    const foundAuthorization = authorizationUrl ?? at('authorization_endpoint');
    const foundToken = tokenUrl ?? at('token_endpoint');
    if (foundAuthorization === undefined || foundToken === undefined) {
      throw new DiscoveryFault('its issuer does not say where users agree, or where tokens are given');
    }
    const methods = metadata['code_challenge_methods_supported'];
    // Without PKCE a code that is stolen on its way is a token.
    if (isArray(methods) && !methods.includes('S256'))
      throw new DiscoveryFault('its issuer does not know PKCE with S256');
    return {
      issuer: stringOf(metadata['issuer']),
      authorizationUrl: foundAuthorization,
      tokenUrl: foundToken,
      registrationUrl: registrationUrl ?? at('registration_endpoint'),
      revocationUrl: at('revocation_endpoint'),
      issInAnswer: metadata['authorization_response_iss_parameter_supported'] === true,
      clientDocuments: metadata['client_id_metadata_document_supported'] === true,
      resource: told?.resource ?? resource,
      scopes: scopes.length > 0 ? scopes : (challenge.scopes ?? told?.scopes ?? []),
    };
  }

  /** RFC 9728 §5.1: what it says to a request without a token. A server that says nothing is no fault here. */
  async #challenge(url: string, mayBeLocal: boolean): Promise<Challenge> {
    const answer = await this.#http({
      url,
      method: 'POST',
      headers: ['content-type', 'application/json', 'accept', 'application/json, text/event-stream'],
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      timeoutMs: FETCH_MS,
      maxBytes: MAX_DOCUMENT_BYTES,
      whenLonger: 'cut',
      reach: 'not-metadata',
    }).catch(() => undefined);
    const written = answer?.status === 401 ? headerOf(answer, 'www-authenticate') : undefined;
    if (written === undefined) return NO_CHALLENGE;
    const metadata = addressIn(challengeParameter(written, 'resource_metadata'), mayBeLocal);
    return { metadata, scopes: scopesIn(written) };
  }

  /** RFC 9728 §3: where its challenge says, else at the path of the server, then at the root. Undefined: it says nothing. */
  async #protectedResource(
    url: string,
    challenged: string | undefined,
    mayBeLocal: boolean,
  ): Promise<{ resource: string; issuer: string; scopes: readonly string[] } | undefined> {
    const { origin, pathname } = new URL(url);
    const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
    const places = challenged === undefined ? [wellKnown + pathname.replace(/\/+$/, ''), wellKnown] : [challenged];
    for (const address of new Set(places)) {
      const document = await this.#document(address);
      const resource = addressIn(document?.['resource'], mayBeLocal);
      const servers = document?.['authorization_servers'];
      const issuer = isArray(servers) ? addressIn(servers[0], mayBeLocal) : undefined;
      if (resource === undefined || issuer === undefined) continue;
      // Else a server could have tokens made that are good at another one.
      if (!isOf(url, resource)) throw new DiscoveryFault('it says that it is another resource than it is');
      const scopes = document?.['scopes_supported'];
      return { resource, issuer, scopes: isArray(scopes) ? scopes.filter((each) => typeof each === 'string') : [] };
    }
    return undefined;
  }

  /** RFC 8414 §3.1, and the place where OpenID Connect has it. `guessed`: servers before RFC 9728 were their own issuers. */
  async #issuer(issuer: string, guessed: boolean): Promise<JsonObject> {
    const { origin, pathname } = new URL(issuer);
    const path = pathname.replace(/\/+$/, '');
    const places = [
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      ...(path === '' ? [] : [`${origin}${path}/.well-known/openid-configuration`]),
    ];
    for (const place of places) {
      const document = await this.#document(place);
      if (!document) continue;
      const said = stringOf(document['issuer']);
      if (said?.replace(/\/+$/, '') === issuer.replace(/\/+$/, '') || (guessed && said === undefined)) return document;
      throw new DiscoveryFault('its issuer says that it is another one');
    }
    throw new DiscoveryFault('it does not say who issues its tokens');
  }

  /** Undefined: there is none. */
  async #document(url: string): Promise<JsonObject | undefined> {
    const answer = await this.#http({
      url,
      headers: ['accept', 'application/json'],
      timeoutMs: FETCH_MS,
      maxBytes: MAX_DOCUMENT_BYTES,
      reach: 'not-metadata',
    }).catch((error: unknown) => {
      throw new DiscoveryFault(`${new URL(url).host} cannot be asked: ${error instanceof Error ? error.message : ''}`);
    });
    return answer.status === 200 ? parseObject(answer.body.toString()) : undefined;
  }
}

interface Challenge {
  /** Where its metadata are. */
  readonly metadata: string | undefined;
  /** What a token for it needs. */
  readonly scopes: readonly string[] | undefined;
}

const NO_CHALLENGE: Challenge = { metadata: undefined, scopes: undefined };

function keyOf({ name, url, auth }: OAuthServer): string {
  return JSON.stringify([name, url, auth]);
}

/**
 * An address that a document names: of no metadata service, and secret things go there only over TLS. `mayBeLocal`: or to
 * this machine.
 */
function addressIn(value: unknown, mayBeLocal: boolean): string | undefined {
  const text = stringOf(value);
  if (text === undefined || text.length > 2048 || !URL.canParse(text)) return undefined;
  const { protocol, hostname, username, password, hash } = new URL(text);
  const isLocal = isLoopback(hostname);
  const safe = isLocal ? mayBeLocal && /^https?:$/.test(protocol) : protocol === 'https:';
  return safe && username === '' && password === '' && hash === '' && !isMetadataAddress(hostname) ? text : undefined;
}

/** RFC 8707 §2: no fragment; the slash at the end of a bare host is left out. */
function canonical(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return origin + (pathname === '/' && search === '' ? '' : pathname + search);
}

/** Whether a server is the resource, or stands below it. */
function isOf(url: string, resource: string): boolean {
  const [its, said] = [new URL(url), new URL(resource)];
  const path = said.pathname.replace(/\/+$/, '');
  return its.origin === said.origin && (its.pathname === path || its.pathname.startsWith(`${path}/`));
}
