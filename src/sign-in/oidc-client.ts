import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { isRefused } from '../authentication/key-verdict.ts';
import { OutsideTokens } from '../authentication/outside-tokens.ts';
import type { Identities, IdentityProvider } from '../config/identities/identities.ts';
import type { OidcSettings } from '../config/server/oidc.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError, Principal } from '../core/exchange.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import { fetchKeySet } from '../identity/fetch-key-set.ts';

export interface OidcClientOptions {
  readonly http: HttpClient;
  readonly log: Log;
  now(): number;
}

/** As what the gateway asks whom. */
export interface OidcParty {
  readonly oidc: OidcSettings;
  readonly provider: IdentityProvider;
}

/** Somebody is on the way to the identity provider and back: to be kept for whoever began, and to be used once. */
export interface OidcJourney {
  readonly provider: string;
  readonly redirectUri: string;
  readonly verifier: string;
  readonly nonce: string;
}

export interface BegunJourney {
  /** Where the browser goes. */
  readonly location: string;
  /** Comes back with the answer: 43 characters of base64url. */
  readonly state: string;
  readonly journey: OidcJourney;
}

const FETCH_MS = 10_000;
const MAX_ANSWER_BYTES = 262_144;
const KNOWN_MS = 300_000;
/** A provider that is away is not asked anew by everybody who comes. */
const AWAY_MS = 5_000;

/** OpenID Connect Discovery §3, as far as it is needed. */
const factsSchema = z.object({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});
type Facts = z.output<typeof factsSchema>;

const tokenSchema = z.object({ id_token: z.string().max(65_536) });
const claimsSchema = z.looseObject({
  nonce: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  azp: z.string().optional(),
});

/**
 * Sign-in with an identity provider: OpenID Connect with codes, PKCE (RFC 7636), `state` and `nonce`. What it vouches for is
 * judged as its tokens are where they come as keys: the same algorithms, claims, teams and `authorized_subjects`.
 */
export class OidcClient {
  readonly #options: OidcClientOptions;
  /** The facts of one issuer; they are here also while it is asked, and for a moment when it could not be. */
  #known: { readonly issuer: string; readonly facts: Promise<OrError<Facts>>; untilMs: number } | undefined;

  constructor(options: OidcClientOptions) {
    this.#options = options;
  }

  /** Where somebody signs in, to come back to `redirectUri`. Never rejects. */
  async begin({ oidc, provider }: OidcParty, redirectUri: string): Promise<OrError<BegunJourney>> {
    const facts = await this.#facts(provider);
    if (facts instanceof GatewayError) return facts;
    const [state, verifier, nonce] = [random(), random(), random()];
    const location = new URL(facts.authorization_endpoint);
    const asked = {
      response_type: 'code',
      client_id: oidc.clientId,
      redirect_uri: redirectUri,
      scope: [...new Set(['openid', ...oidc.scopes])].join(' '),
      state,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(asked)) location.searchParams.set(name, value);
    return { location: location.href, state, journey: { provider: provider.name, redirectUri, verifier, nonce } };
  }

  /** Whom the provider vouches for. `query`: of the address that the browser came back to. Never rejects. */
  async finish(
    party: OidcParty,
    identities: Identities,
    journey: OidcJourney,
    query: URLSearchParams,
  ): Promise<OrError<Principal>> {
    const { oidc, provider } = party;
    const facts = await this.#facts(provider);
    if (facts instanceof GatewayError) return facts;
    // RFC 9207: an answer of another provider is not taken for one of this.
    const iss = query.get('iss');
    if (iss === null ? facts.authorization_response_iss_parameter_supported === true : iss !== provider.issuer)
      return new GatewayError('sign_in_refused', { detail: 'The answer is of another identity provider.' });
    const code = query.get('code');
    if (code === null || code.length > 4096) {
      const reason = (query.get('error') ?? 'no code').slice(0, 100);
      this.#options.log.warn({ provider: provider.name, reason }, 'an identity provider did not sign somebody in');
      return new GatewayError('sign_in_refused');
    }
    const token = await this.#idToken(oidc, facts, journey, code);
    return token instanceof GatewayError ? token : this.#principalOf(token, journey, party, identities);
  }

  async #idToken(oidc: OidcSettings, facts: Facts, journey: OidcJourney, code: string): Promise<OrError<string>> {
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: journey.redirectUri,
      code_verifier: journey.verifier,
    });
    const headers = authenticated(form, oidc, facts.token_endpoint_auth_methods_supported);
    const answer = await this.#ask({ url: facts.token_endpoint, method: 'POST', headers, body: form.toString() });
    if (answer instanceof GatewayError) return answer;
    const read = tokenSchema.safeParse(jsonOf(answer.body));
    if (answer.status === 200 && read.success) return read.data.id_token;
    const { log } = this.#options;
    log.warn({ provider: journey.provider, status: answer.status }, 'an identity provider gave no ID token for a code');
    return new GatewayError(answer.status >= 500 ? 'identity_provider_failed' : 'sign_in_refused');
  }

  async #principalOf(
    token: string,
    { nonce }: OidcJourney,
    { oidc: { clientId }, provider }: OidcParty,
    identities: Identities,
  ): Promise<OrError<Principal>> {
    const { http, log, now } = this.#options;
    const refused = (reason: string, detail?: string): GatewayError => {
      log.warn({ provider: provider.name, reason }, 'somebody was not signed in');
      return new GatewayError('sign_in_refused', detail === undefined ? {} : { detail });
    };
    const keys = await fetchKeySet(provider.jwksUri, AbortSignal.timeout(FETCH_MS), http);
    if ('fault' in keys) {
      log.warn({ provider: provider.name, reason: keys.fault }, 'the keys of an identity provider cannot be fetched');
      return new GatewayError('identity_provider_failed');
    }
    // OpenID Connect Core §3.1.3.7: an ID token is for its client, whatever keys of the gateway are for.
    const forUs = { ...identities, identityProviders: [{ ...provider, audiences: [clientId] }] };
    const set = { provider: provider.name, jwksUri: provider.jwksUri, keys: keys.keys };
    const tokens = new OutsideTokens(forUs, { sets: [set], resources: undefined, onUnknownKey: () => {} });
    const head = tokens.headOf(token);
    const verdict = head && tokens.judge(token, head, now());
    if (verdict === undefined || isRefused(verdict))
      return refused('its ID token is not accepted', verdict?.error.context.detail);
    const claims = claimsSchema.safeParse(jsonOf(Buffer.from(token.split('.')[1] ?? '', 'base64url')));
    if (!claims.success || claims.data.nonce === undefined || !isSame(claims.data.nonce, nonce))
      return refused('the nonce of its ID token is another');
    const { aud, azp } = claims.data;
    if ((Array.isArray(aud) && aud.length > 1 && azp === undefined) || (azp !== undefined && azp !== clientId))
      return refused('its ID token was given to another client');
    return verdict.principal;
  }

  /** One question at a time, whoever comes. */
  #facts(provider: IdentityProvider): Promise<OrError<Facts>> {
    const { now } = this.#options;
    const { issuer } = provider;
    if (this.#known?.issuer === issuer && now() < this.#known.untilMs) return this.#known.facts;
    const known = { issuer, facts: this.#askedFacts(provider), untilMs: now() + KNOWN_MS };
    this.#known = known;
    void known.facts.then((facts) => {
      if (facts instanceof GatewayError) known.untilMs = now() + AWAY_MS;
    });
    return known.facts;
  }

  async #askedFacts(provider: IdentityProvider): Promise<OrError<Facts>> {
    const { log } = this.#options;
    const url = `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await this.#ask({ url, headers: ['accept', 'application/json'] });
    if (answer instanceof GatewayError) return answer;
    const read = factsSchema.safeParse(answer.status === 200 ? jsonOf(answer.body) : undefined);
    const isRight =
      read.success &&
      read.data.issuer === provider.issuer &&
      isSafeAddress(read.data.token_endpoint) &&
      isSafeAddress(read.data.authorization_endpoint);
    if (!isRight) {
      const reason = 'what it says of itself is not complete, not of this issuer, or not over https';
      log.warn({ provider: provider.name, status: answer.status, reason }, 'an identity provider cannot be used');
      return new GatewayError('identity_provider_failed');
    }
    return read.data;
  }

  async #ask(request: Pick<HttpRequest, 'url' | 'method' | 'headers' | 'body'>): Promise<OrError<HttpAnswer>> {
    const { http, log } = this.#options;
    try {
      return await http({ ...request, timeoutMs: FETCH_MS, maxBytes: MAX_ANSWER_BYTES, reach: 'not-metadata' });
    } catch (error) {
      // Its message is for people, and holds neither address nor secret.
      log.warn({ error }, 'an identity provider did not answer');
      return new GatewayError('identity_provider_failed');
    }
  }
}

/** RFC 6749 §2.3.1; without `client_secret_basic` the secret goes into the form. */
function authenticated(form: URLSearchParams, oidc: OidcSettings, methods: readonly string[] | undefined): string[] {
  const { clientId, clientSecret } = oidc;
  const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];
  if (clientSecret !== undefined && (methods ?? ['client_secret_basic']).includes('client_secret_basic')) {
    const pair = [clientId, clientSecret].map((part) => encodeURIComponent(part)).join(':');
    return [...headers, 'authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
  }
  form.set('client_id', clientId);
  if (clientSecret !== undefined) form.set('client_secret', clientSecret);
  return headers;
}

/** Codes and secrets go there. */
function isSafeAddress(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || (protocol === 'http:' && /^(127(\.\d+){3}|localhost|\[::1\])$/.test(hostname));
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function random(): string {
  return randomBytes(32).toString('base64url');
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // The schema refuses undefined as it refuses any other wrong shape.
    return undefined;
  }
}
