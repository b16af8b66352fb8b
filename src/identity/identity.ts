import type { Configuration } from '../config/configuration.ts';
import type { Identities } from '../config/identities/identities.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import { findKey, revokeKey } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';
import { mintAccessToken, mintClientSecret } from '../store/key-token.ts';
import { type KeyNews, KeyWatch } from '../store/key-watch.ts';
import { loadOrMakeSigningKey } from '../store/signing-key.ts';
import { publishSigningKey } from '../store/signing-keys.ts';
import type { AccessTokenClaims, ClientSecretClaims } from '../store/token-claims.ts';
import type { IdentityMessage, IdentityState } from '../threads/identity-messages.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import { type IssuedKey, issueKey, type KeyMint, type RotatedKey, rotateKey } from './issue-key.ts';
import { IssuerKeys, type IssuerState } from './issuer-keys.ts';
import { KeyBroadcast } from './key-broadcast.ts';
import type { KeyWish } from './key-wish.ts';
import { KnownKeys } from './known-keys.ts';
import { type PublishedSigningKey, publishedSigningKey } from './published-signing-key.ts';

export interface IdentityOptions {
  readonly database: Database;
  readonly dataDir: string;
  readonly threads: number;
  readonly identities: Identities;
  readonly http: HttpClient;
  readonly log: Log;
}

/** Often enough that a day of gateways which come and go cannot make one that stays look gone. */
const SEEN_EVERY_MS = 3_600_000;

/**
 * Keys on the main thread: makes and revokes them, sees what others on the same database made and revoked, fetches the
 * keys of outside issuers, and tells all of it to the relay threads.
 */
export class Identity {
  readonly #options: IdentityOptions;
  #signingKey: PublishedSigningKey;
  readonly #known: KnownKeys;
  readonly #watch: KeyWatch;
  readonly #issuers: IssuerKeys;
  readonly #broadcast: KeyBroadcast;
  #send: (message: IdentityMessage) => void = () => {};
  #identities: Identities;
  /** The signing key that relay threads were last told of because of a secret. */
  #toldKey: string | undefined;
  #tooMany = false;
  #seen: NodeJS.Timeout | undefined;

  private constructor(options: IdentityOptions, signingKey: PublishedSigningKey) {
    this.#options = options;
    this.#signingKey = signingKey;
    this.#identities = options.identities;
    this.#known = new KnownKeys(signingKey.verification);
    this.#broadcast = new KeyBroadcast(options.threads, (message) => this.#send(message));
    this.#watch = new KeyWatch(options.database, {
      onNews: (news) => this.#onNews(news),
      onFault: (error) => options.log.error({ error }, 'issued keys cannot be read; what is known stays in force'),
    });
    this.#issuers = new IssuerKeys({
      http: options.http,
      log: options.log,
      tell: (set) => this.#send({ type: 'issuer-keys', set }),
    });
  }

  /** Knows every key that was issued so far. Throws a StoreFault. */
  static async open(options: IdentityOptions): Promise<Identity> {
    const warn = (message: string): void => options.log.warn({}, message);
    const signingKey = await publishedSigningKey(options.database, options.dataDir, warn);
    const identity = new Identity(options, signingKey);
    await identity.#watch.start();
    return identity;
  }

  /** From now on relay threads are told through `send`, and outside issuers are asked. */
  begin(send: (message: IdentityMessage) => void): void {
    this.#send = send;
    this.#issuers.setProviders(this.#identities.identityProviders);
    this.#seen = setInterval(() => void this.#saySeen(), SEEN_EVERY_MS).unref();
  }

  /** What a thread is born with; all that is said later is sent to it. */
  stateFor(thread: number): IdentityState {
    this.#broadcast.born(thread);
    return { keys: this.#known.all(), issuerKeys: this.#issuers.sets() };
  }

  threadDied(thread: number): void {
    this.#broadcast.died(thread);
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'keys-known') this.#broadcast.heard(message.thread, message.number);
    else if (message.type === 'issuer-key-unknown') this.#issuers.unknownKey(message.provider);
  }

  reconfigure({ identities }: Pick<Configuration, 'identities'>): void {
    this.#identities = identities;
    this.#issuers.setProviders(identities.identityProviders);
  }

  get identities(): Identities {
    return this.#identities;
  }

  issuerStates(): IssuerState[] {
    return this.#issuers.states();
  }

  /** Resolves when the key works on every relay thread of this gateway. */
  async issue(wish: KeyWish, now: Date): Promise<OrError<IssuedKey>> {
    const issued = await issueKey(await this.#mint(), wish, now);
    if (!(issued instanceof GatewayError)) await this.#toldEverywhere();
    return issued;
  }

  async rotate(id: string, graceMs: number): Promise<OrError<RotatedKey>> {
    const rotated = await rotateKey(await this.#mint(), id, graceMs);
    if (!(rotated instanceof GatewayError)) await this.#toldEverywhere();
    return rotated;
  }

  /** Signs an access token that a client of MCP gets. */
  async signAccessToken(claims: AccessTokenClaims): Promise<string> {
    return mintAccessToken(claims, await this.#currentKey());
  }

  /** Signs a secret for browsers. Resolves when every relay thread of this gateway knows the key that signed it. */
  async signClientSecret(claims: ClientSecretClaims): Promise<string> {
    const key = await this.#currentKey();
    const secret = await mintClientSecret(claims, key);
    const { keyId } = key.verification;
    if (this.#toldKey !== keyId) await this.#toldEverywhere();
    this.#toldKey = keyId;
    return secret;
  }

  /** Resolves when the key works on no relay thread of this gateway any more; undefined: there is none of this id. */
  async revoke(id: string): Promise<Awaited<ReturnType<typeof findKey>>> {
    if ((await revokeKey(this.#options.database, id, new Date())) === 'unknown') return undefined;
    await this.#toldEverywhere();
    return findKey(this.#options.database, id);
  }

  close(): void {
    clearInterval(this.#seen);
    this.#watch.stop();
    this.#issuers.stop();
  }

  async #mint(): Promise<KeyMint> {
    return { database: this.#options.database, signingKey: await this.#currentKey(), rules: this.#identities };
  }

  /** A command may have rotated the key, or somebody moved it away: what stands in the data folder is what counts. */
  async #currentKey(): Promise<PublishedSigningKey> {
    const { database, dataDir } = this.#options;
    // The fault of the file's mode was told at the start.
    const quiet = (): void => {};
    const { verification } = await loadOrMakeSigningKey(dataDir, quiet);
    if (verification.keyId !== this.#signingKey.verification.keyId) {
      this.#signingKey = await publishedSigningKey(database, dataDir, quiet);
      this.#known.own = this.#signingKey.verification;
    }
    return this.#signingKey;
  }

  async #saySeen(): Promise<void> {
    const { database, log } = this.#options;
    try {
      const { verification, gateway } = await this.#currentKey();
      await publishSigningKey(database, verification, gateway, new Date());
    } catch (error) {
      log.warn(
        { code: 'gateway_not_seen', error },
        'the database was not told that this gateway is there; in an hour again',
      );
    }
  }

  async #toldEverywhere(): Promise<void> {
    await this.#watch.look();
    await this.#broadcast.settled();
  }

  #onNews(news: KeyNews): void {
    this.#broadcast.tell(this.#known.take(news, Date.now()));
    if (this.#known.refused > 0 && !this.#tooMany) {
      this.#tooMany = true;
      this.#options.log.error(
        { notTaken: this.#known.refused },
        'there are too many opaque keys; the newest are refused',
      );
    }
  }
}
