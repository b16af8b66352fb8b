import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KeyRing } from '../authentication/authenticate.ts';
import type { Configuration } from '../config/configuration.ts';
import { findKey } from '../config/packed-keys.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError, Principal } from '../core/exchange.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { ConsoleDoor, Refusal, SessionEvent } from '../operator/sessions/console-door.ts';
import type { SessionOwner, Sessions, Standing } from '../operator/sessions/sessions.ts';
import type { StartToken } from '../operator/sessions/start-token.ts';
import { consoleRoleOf, isAmong, scopeOf, type Viewer } from '../policy/data-access.ts';
import type { IdentityMessage, IdentityState } from '../threads/identity-messages.ts';
import type { MainService } from './main-service.ts';

export interface ConsoleServiceOptions {
  readonly configuration: () => Configuration;
  readonly startToken: StartToken | undefined;
  /** The keys that are known now; later changes follow in `heard`. */
  readonly identity: () => Promise<IdentityState>;
  /** A token of this provider names a key that is not known. */
  readonly onUnknownIssuerKey: (provider: string) => void;
  readonly tell: (event: SessionEvent) => void;
  readonly tellRefusal: (refusal: Refusal) => void;
  readonly http: HttpClient;
  readonly log: Log;
}

/** The people in the console, judged in the light of the configuration in force. All of it is loaded when somebody first asks. */
export class ConsoleService implements MainService {
  readonly #options: ConsoleServiceOptions;
  #door: Promise<ConsoleDoor> | undefined;
  #sessions: Sessions | undefined;
  #ring: Promise<KeyRing> | undefined;
  #known: KeyRing | undefined;
  /** The standings under one configuration; each is forgotten with its principal. */
  #standings = new WeakMap<Principal, Standing>();

  constructor(options: ConsoleServiceOptions) {
    this.#options = options;
  }

  door(): Promise<ConsoleDoor> {
    this.#door ??= this.#opened();
    return this.#door;
  }

  /** Keys change, as relay threads hear it too. */
  heard(message: IdentityMessage): void {
    if (message.type === 'keys') this.#known?.setIssued(message.news);
    else this.#known?.setIssuerKeys(message.set);
  }

  reconfigure({ keys, identities }: Configuration): void {
    this.#standings = new WeakMap();
    this.#known?.reconfigure({ keys, identities });
    this.#sessions?.judgeAll();
  }

  close(): void {
    this.#sessions?.closeAll();
  }

  async #opened(): Promise<ConsoleDoor> {
    const { configuration, startToken, tell, tellRefusal, http, log } = this.#options;
    const [{ ConsoleDoor }, { Sessions }, { OidcSignIn }, { RemoteSides }] = await Promise.all([
      import('../operator/sessions/console-door.ts'),
      import('../operator/sessions/sessions.ts'),
      import('../operator/sessions/oidc-sign-in.ts'),
      import('../operator/sessions/remote-sides.ts'),
    ]);
    const settings = () => configuration().server.console;
    this.#sessions = new Sessions({ standingOf: (owner) => this.#standingOf(owner), settings, now: Date.now });
    return new ConsoleDoor({
      sessions: this.#sessions,
      settings,
      now: Date.now,
      adminKey: configuration().server.operator.adminKey,
      startToken,
      ownerOf: (key, address) => this.#ownerOf(key, address),
      oidc: new OidcSignIn({ configuration, http, log, now: Date.now }),
      sides: new RemoteSides(configuration().server.listen.trustedProxies),
      tell,
      tellRefusal,
    });
  }

  async #ownerOf(key: string, address: ArrayBuffer): Promise<OrError<SessionOwner>> {
    const found = (await this.#keyRing()).signIn(key, { getRemoteAddress: () => address });
    if (found instanceof GatewayError) return found;
    const { from: by, principal, expiresAtMs: endsAtMs } = found;
    if (by !== 'configured') return { by, principal, endsAtMs };
    return { by, principal, endsAtMs, keySha256: hash('sha256', key, 'hex') };
  }

  /** Like that of a relay thread, and made when somebody first signs in by a key. */
  #keyRing(): Promise<KeyRing> {
    this.#ring ??= this.#madeRing();
    this.#ring.catch(() => {
      // The database did not answer: the next one asks anew.
      this.#ring = undefined;
    });
    return this.#ring;
  }

  async #madeRing(): Promise<KeyRing> {
    const { identity, configuration, onUnknownIssuerKey } = this.#options;
    const { KeyRing } = await import('../authentication/authenticate.ts');
    const { keys: issued, issuerKeys } = await identity();
    // From here on in one turn: what is told meanwhile follows it.
    const { keys: configured, identities } = configuration();
    this.#known = new KeyRing({ configured, issued, identities, issuerKeys, onUnknownIssuerKey });
    return this.#known;
  }

  #standingOf(owner: SessionOwner): Standing | undefined {
    const { configuration } = this.#options;
    const { operator, console: settings } = configuration().server;
    if (!settings.enabled) return undefined;
    switch (owner.by) {
      case 'admin-key':
        return operator.adminKey === undefined ? undefined : { ...ALL, role: 'admin', subject: owner.by };
      case 'start-token':
        return operator.adminKey === undefined
          ? { ...ALL, role: 'viewer', subject: owner.by, readOnly: true }
          : undefined;
      default:
        return this.#standingOfPerson(owner);
    }
  }

  #standingOfPerson(owner: Person): Standing | undefined {
    const { principal } = owner;
    // A key is revoked, and a virtual account ends, between two reloads.
    if (this.#known?.withdrawn(principal) !== undefined) return undefined;
    const known = this.#standings.get(principal);
    if (known !== undefined) return known;
    if (this.#isGone(owner)) return undefined;
    const configuration = this.#options.configuration();
    const { subject, teams } = principal;
    const viewer: Viewer = { subject, teams };
    const role = consoleRoleOf(viewer, configuration, configuration.server.console.roles);
    if (role === undefined) return undefined;
    const data = role === 'admin' ? 'all' : scopeOf(viewer, configuration);
    const standing = { role, data, viewer: data === 'all' ? undefined : viewer, subject, readOnly: false };
    this.#standings.set(principal, standing);
    return standing;
  }

  /** The configuration does not know any more what they signed in with. */
  #isGone(owner: Person): boolean {
    const configuration = this.#options.configuration();
    const { keys, identities, server } = configuration;
    const { subject, keyId, teams } = owner.principal;
    /** By the same rule as their next token. */
    const isLetIn = (provider: string): boolean => {
      const found = identities.identityProviders.find(({ name }) => name === provider);
      if (found === undefined || found.authorizedSubjects.length === 0) return found !== undefined;
      return isAmong({ subject, teams }, found.authorizedSubjects, configuration);
    };
    switch (owner.by) {
      case 'configured': {
        const key = findKey(keys, Buffer.from(owner.keySha256, 'hex'));
        return key?.subject !== subject || !isDeepStrictEqual(key.teams, teams);
      }
      case 'identity-provider':
        return server.console.oidc?.identityProvider !== owner.provider || !isLetIn(owner.provider);
      case 'outside':
        return !identities.identityProviders.some(({ name }) => keyId.startsWith(`${name}:`) && isLetIn(name));
      case 'issued':
        return false;
    }
  }
}

type Person = Extract<SessionOwner, { principal: Principal }>;

const ALL = { data: 'all', viewer: undefined, readOnly: false } as const;
