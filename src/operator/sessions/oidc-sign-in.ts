import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Configuration } from '../../config/configuration.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Log } from '../../core/log.ts';
import { type Journey, Journeys } from '../../sign-in/journeys.ts';
import { OidcClient, type OidcParty } from '../../sign-in/oidc-client.ts';
import type { OidcDoor } from './console-door.ts';
import { isEncrypted } from './same-origin.ts';
import { cookieOf, isSecureFor } from './session-cookie.ts';
import type { SessionOwner } from './sessions.ts';

export interface OidcSignInOptions {
  configuration(): Pick<Configuration, 'identities' | 'server'>;
  readonly http: HttpClient;
  readonly log: Log;
  now(): number;
}

const JOURNEY_MS = 600_000;
const CALLBACK = '/console/sign-in/oidc/callback';

const journeySchema = z.strictObject({
  state: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  redirectUri: z.string(),
  provider: z.string(),
  untilMs: z.number(),
});

/** Sign-in to the console with an identity provider; somebody's way there and back lies in a cookie of their browser. */
export class OidcSignIn implements OidcDoor {
  readonly #options: OidcSignInOptions;
  readonly #client: OidcClient;
  readonly #journeys: Journeys<Journey>;

  constructor(options: OidcSignInOptions) {
    this.#options = options;
    this.#client = new OidcClient(options);
    // Sessions end with the process, and so do journeys to them.
    this.#journeys = new Journeys({ key: randomBytes(32), schema: journeySchema, now: options.now });
  }

  get isOffered(): boolean {
    return this.#party() !== undefined;
  }

  async begin(request: IncomingMessage): Promise<OrError<{ location: string; cookie: string }>> {
    const party = this.#party();
    if (party === undefined) return new GatewayError('path_not_found');
    const redirectUri = this.#redirectUri(request);
    if (redirectUri === undefined) return new GatewayError('sign_in_refused');
    const begun = await this.#client.begin(party, redirectUri);
    if (begun instanceof GatewayError) return begun;
    const { state, journey: asked, location } = begun;
    const sealed = this.#journeys.sealed({ ...asked, state, untilMs: this.#options.now() + JOURNEY_MS });
    if (sealed === undefined) return new GatewayError('sign_in_refused', { detail: 'The address is too long.' });
    // Lax: the way back begins at another site.
    const secure = isSecureFor(request, this.#publicUrl) ? '; Secure' : '';
    const attributes = `Path=${CALLBACK}; Max-Age=${JOURNEY_MS / 1000}; HttpOnly; SameSite=Lax${secure}`;
    return { location, cookie: `${journeyCookie(request)}=${sealed}; ${attributes}` };
  }

  cameBack(request: IncomingMessage, query: URLSearchParams): OrError<Journey> {
    // Once: whoever reads the address later has nothing of it.
    const journey = this.#journeys.finished(cookieOf(request, journeyCookie(request)), query.get('state') ?? '');
    return (
      journey ?? new GatewayError('sign_in_refused', { detail: 'It was not begun by this browser, or is too old.' })
    );
  }

  async finish(journey: Journey, query: URLSearchParams): Promise<OrError<SessionOwner>> {
    const party = this.#party();
    if (party?.provider.name !== journey.provider) return new GatewayError('sign_in_refused');
    const { identities } = this.#options.configuration();
    const principal = await this.#client.finish(party, identities, journey, query);
    if (principal instanceof GatewayError) return principal;
    // The session has a life of its own: an ID token tells of a moment.
    const endsAtMs = Number.POSITIVE_INFINITY;
    return { by: 'identity-provider', provider: party.provider.name, principal, endsAtMs };
  }

  #party(): OidcParty | undefined {
    const { server, identities } = this.#options.configuration();
    const { oidc } = server.console;
    if (oidc === undefined || server.operator.adminKey === undefined) return undefined;
    const provider = identities.identityProviders.find(({ name }) => name === oidc.identityProvider);
    return provider && { oidc, provider };
  }

  get #publicUrl(): string | undefined {
    return this.#options.configuration().server.console.publicUrl;
  }

  /** Where the browser is now, unless the settings say where it should be; the provider knows which addresses are ours. */
  #redirectUri(request: IncomingMessage): string | undefined {
    const { host } = request.headers;
    const origin = this.#publicUrl ?? `${isEncrypted(request) ? 'https' : 'http'}://${host}`;
    return URL.canParse(origin) && new URL(origin).origin === origin.toLowerCase() ? `${origin}${CALLBACK}` : undefined;
  }
}

function journeyCookie({ socket }: IncomingMessage): string {
  return `sluice_console_sign_in_${socket.localPort ?? 0}`;
}
