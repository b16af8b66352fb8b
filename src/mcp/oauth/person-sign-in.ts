import { hkdfSync } from 'node:crypto';
import { z } from 'zod';
import type { Configuration } from '../../config/configuration.ts';
import { GatewayError } from '../../core/errors.ts';
import { subjectsOf } from '../../policy/caller.ts';
import { Membership } from '../../policy/membership.ts';
import { type Journey, Journeys, MAX_JOURNEY_CHARACTERS } from '../../sign-in/journeys.ts';
import type { OidcClient, OidcParty } from '../../sign-in/oidc-client.ts';
import type { McpPageRequest, McpSignedIn } from '../../threads/mcp-messages.ts';
import { digestOf, isEqual } from './connect-flow.ts';
import { journeyCookies } from './own-addresses.ts';

export interface PersonSignInOptions {
  /** Gateways that share it take each other's journeys. */
  readonly secret: string;
  readonly client: OidcClient;
  configuration(): Pick<Configuration, 'server' | 'identities'>;
  now(): number;
}

const wantedSchema = z.discriminatedUnion('page', [
  /** `query`: what a client asked for. */
  z.object({ page: z.literal('authorize'), query: z.string() }),
  z.object({ page: z.literal('connect'), server: z.string(), account: z.string() }),
]);

/** What the page was about that somebody left to sign in. */
export type Wanted = z.output<typeof wantedSchema>;

export interface CameBack {
  readonly wanted: Wanted;
  /** A text says why nobody was signed in. */
  readonly who: McpSignedIn | string;
  /** Takes the journey out of the browser. */
  readonly cookie: string;
}

interface WantedJourney extends Journey {
  /** Digest of what sets the browser apart: a cookie that another host of the domain planted signs nobody in. */
  readonly browser: string;
  readonly wanted: Wanted;
}

const journeySchema: z.ZodType<WantedJourney> = z.strictObject({
  state: z.string(),
  untilMs: z.number(),
  provider: z.string(),
  redirectUri: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  browser: z.string(),
  wanted: wantedSchema,
});

/** Somebody has this long to sign in. */
const JOURNEY_MS = 600_000;
const CALLBACK = '/mcp/oauth/sign-in/callback';

/**
 * Sign-in with an identity provider where pages of MCP ask who somebody is, in the place of a key. The way there and back
 * lies in a cookie of the browser; a few at once, since a client may ask for several servers.
 */
export class PersonSignIn {
  readonly #options: PersonSignInOptions;
  readonly #journeys: Journeys<WantedJourney>;

  constructor(options: PersonSignInOptions) {
    this.#options = options;
    const { secret, now } = options;
    const key = new Uint8Array(hkdfSync('sha256', secret, '', 'sluice mcp sign-in journeys', 32));
    this.#journeys = new Journeys({ key, schema: journeySchema, now });
  }

  /** Name of the provider; undefined: keys alone are taken. */
  get offered(): string | undefined {
    return this.#party()?.provider.name;
  }

  /** Where the browser goes, and what it keeps meanwhile; a text says why it cannot. Never rejects. */
  async begin(
    wanted: Wanted,
    { base, journeys }: Pick<McpPageRequest, 'base' | 'journeys'>,
    browser: string,
  ): Promise<{ readonly location: string; readonly cookie: string } | string> {
    const party = this.#party();
    if (party === undefined) return 'No identity provider is configured.';
    const begun = await this.#options.client.begin(party, base + CALLBACK);
    if (begun instanceof GatewayError) return begun.message;
    const { state, location, journey } = begun;
    const untilMs = this.#options.now() + JOURNEY_MS;
    const sealed = this.#journeys.sealed({ ...journey, state, untilMs, browser: digestOf(browser), wanted });
    if (sealed === undefined) {
      return `What the client asks for is too long to go on with after you signed in elsewhere (sealed, it has more than ${MAX_JOURNEY_CHARACTERS} characters). Sign in with a key.`;
    }
    return { location, cookie: cookieOf(base, this.#placeAmong(journeys), sealed, JOURNEY_MS / 1000) };
  }

  /** The browser came back. Undefined: nobody here sent it, or it is another browser. Never rejects. */
  async finish({ base, query, browser, journeys }: McpPageRequest): Promise<CameBack | undefined> {
    const { client, configuration } = this.#options;
    const answer = new URLSearchParams(query);
    const state = answer.get('state') ?? '';
    const place = journeys.findIndex((each) => this.#journeys.opened(each)?.state === state);
    const begun = this.#journeys.opened(journeys[place]);
    if (begun === undefined || browser === undefined || !isEqual(begun.browser, digestOf(browser))) return undefined;
    // Once: whoever reads the address later has nothing of it.
    const journey = this.#journeys.finished(journeys[place], state);
    if (journey === undefined) return undefined;
    const { wanted } = journey;
    const cookie = cookieOf(base, place, '', 0);
    const party = this.#party();
    if (party?.provider.name !== journey.provider)
      return { wanted, cookie, who: 'That identity provider is not used any more.' };
    const { identities } = configuration();
    const principal = await client.finish(party, identities, journey, answer);
    if (principal instanceof GatewayError) return { wanted, cookie, who: principal.message };
    const { subject, keyId, teams, metadata } = principal;
    const subjects = [...subjectsOf(principal, new Membership(identities).teamsOf(principal))];
    // An ID token tells of a moment: how long a client stays signed in, the settings say.
    const who = { subject, subjects, keyId, keyFrom: 'outside', teams, metadata, expiresAtMs: undefined } as const;
    return { wanted, cookie, who };
  }

  /** One that is free, or else that of the journey that was begun first. */
  #placeAmong(cookies: McpPageRequest['journeys']): number {
    const untilMs = cookies.map((each) => this.#journeys.opened(each)?.untilMs ?? 0);
    return Math.max(0, untilMs.indexOf(Math.min(...untilMs)));
  }

  #party(): OidcParty | undefined {
    const { server, identities } = this.#options.configuration();
    const { oidc } = server.mcp;
    const provider = identities.identityProviders.find(({ name }) => name === oidc?.identityProvider);
    return oidc && provider && { oidc, provider };
  }
}

/** Lax: the way back begins at another site. */
function cookieOf(base: string, place: number, sealed: string, seconds: number): string {
  const secure = base.startsWith('https://') ? '; Secure' : '';
  return `${journeyCookies(base)[place]}=${sealed}; Path=/mcp/oauth; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
}
