import { z } from 'zod';
import type { Configuration } from '../../config/configuration.ts';
import { GatewayError } from '../../core/errors.ts';
import { subjectsOf } from '../../policy/caller.ts';
import { Membership } from '../../policy/membership.ts';
import type { OidcClient, OidcParty } from '../../sign-in/oidc-client.ts';
import type { McpSignedIn } from '../../threads/mcp-messages.ts';
import { digestOf, isEqual } from './connect-flow.ts';
import type { McpRows } from './rows.ts';
import type { Vault } from './vault.ts';

export interface PersonSignInOptions {
  readonly rows: McpRows;
  readonly vault: Vault;
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
}

const journeySchema = z.object({
  provider: z.string(),
  redirectUri: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  browser: z.string(),
  wanted: wantedSchema,
});

/** Somebody has this long to sign in. */
const PENDING_MS = 600_000;
const CALLBACK = '/mcp/oauth/sign-in/callback';

/** Sign-in with an identity provider where pages of MCP ask who somebody is, in the place of a key. */
export class PersonSignIn {
  readonly #options: PersonSignInOptions;

  constructor(options: PersonSignInOptions) {
    this.#options = options;
  }

  /** Name of the provider; undefined: keys alone are taken. */
  get offered(): string | undefined {
    return this.#party()?.provider.name;
  }

  /** Where the browser goes; a text says why it cannot. Rejects with RowsAway. */
  async begin(wanted: Wanted, base: string, browser: string): Promise<{ readonly location: string } | string> {
    const { client, rows, vault, now } = this.#options;
    const party = this.#party();
    if (party === undefined) return 'No identity provider is configured.';
    const begun = await client.begin(party, base + CALLBACK);
    if (begun instanceof GatewayError) return begun.message;
    const { state, location, journey } = begun;
    const kept: z.output<typeof journeySchema> = { ...journey, browser: digestOf(browser), wanted };
    const secret = vault.close(placeOf(state), kept);
    // Whoever begins is not known yet. Rows are bounded for each owner, so those of all strangers are shared out.
    await rows.putPending({ id: state, owner: `sign-in:${state.slice(0, 1)}`, secret, expiresAt: now() + PENDING_MS });
    return { location };
  }

  /** The browser came back. Undefined: nobody here sent it, or it is another browser. Rejects with RowsAway. */
  async finish(query: URLSearchParams, browser: string | undefined): Promise<CameBack | undefined> {
    const { client, rows, vault, configuration } = this.#options;
    const state = query.get('state') ?? '';
    const sealed = /^[\w-]{43}$/.test(state) ? await rows.takePending(state) : undefined;
    const read = journeySchema.safeParse(sealed === undefined ? undefined : vault.open(placeOf(state), sealed));
    if (!read.success || browser === undefined || !isEqual(read.data.browser, digestOf(browser))) return undefined;
    const { wanted, ...journey } = read.data;
    const party = this.#party();
    if (party?.provider.name !== journey.provider)
      return { wanted, who: 'That identity provider is not used any more.' };
    const { identities } = configuration();
    const principal = await client.finish(party, identities, journey, query);
    if (principal instanceof GatewayError) return { wanted, who: principal.message };
    const { subject, keyId, teams, metadata } = principal;
    const subjects = [...subjectsOf(principal, new Membership(identities).teamsOf(principal))];
    // An ID token tells of a moment: how long a client stays signed in, the settings say.
    return { wanted, who: { subject, subjects, keyId, keyFrom: 'outside', teams, metadata, expiresAtMs: undefined } };
  }

  #party(): OidcParty | undefined {
    const { server, identities } = this.#options.configuration();
    const { oidc } = server.mcp;
    const provider = identities.identityProviders.find(({ name }) => name === oidc?.identityProvider);
    return oidc && provider && { oidc, provider };
  }
}

function placeOf(state: string): string {
  return `sign-in journey ${state}`;
}
