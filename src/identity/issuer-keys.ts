import type { IdentityProvider } from '../config/identities/identities.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { IssuerKey, IssuerKeySet } from '../threads/identity-messages.ts';
import type { FetchedKeySet } from './fetch-key-set.ts';

/**
 * The part of an answer's life after which it is fetched again, so that new keys are here before the old ones are too
 * old.
 */
const AHEAD = 0.8;
/** After a failure: soon, then ever more rarely. What is known stays in force meanwhile. */
const RETRY_MS = { first: 1000, longest: 60_000 };
/** A flood of tokens with made-up key ids must not become a flood at the issuer. */
const UNKNOWN_KEY_EVERY_MS = 30_000;

type FetchKeys = (uri: string, stop: AbortSignal, http: HttpClient) => Promise<FetchedKeySet>;

/** Loaded where there is an issuer. */
const fetchFromNetwork: FetchKeys = async (uri, stop, http) =>
  (await import('./fetch-key-set.ts')).fetchKeySet(uri, stop, http);

export interface IssuerKeysOptions {
  readonly log: Log;
  /** To relay threads: after each fetch that somebody waits for, and whenever keys changed. */
  tell(set: IssuerKeySet): void;
  readonly http: HttpClient;
  /** By default of the network. */
  readonly fetchKeys?: FetchKeys;
}

export interface IssuerState {
  readonly provider: string;
  readonly keys: number;
  /** Milliseconds since the Unix epoch; undefined: never. */
  readonly fetchedAtMs: number | undefined;
  readonly failures: number;
}

/** The signing keys of outside issuers, on the main thread: fetched, refreshed ahead, kept while an issuer is away. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #issuers = new Map<string, Issuer>();

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** Starts with those that are new or live elsewhere now, keeps those that are as they were, forgets the rest. */
  setProviders(providers: readonly IdentityProvider[]): void {
    const before = this.#issuers;
    this.#issuers = new Map();
    for (const { name, jwksUri } of providers) {
      const known = before.get(name);
      if (known?.jwksUri === jwksUri) {
        before.delete(name);
        this.#issuers.set(name, known);
      } else this.#issuers.set(name, new Issuer(name, jwksUri, this.#options, known?.failures ?? 0));
    }
    for (const issuer of before.values()) issuer.stop();
    for (const issuer of this.#issuers.values()) issuer.start();
  }

  /** A token named a key that is not known. Whoever told us gets an answer through `tell`, fetched or not. */
  unknownKey(provider: string): void {
    this.#issuers.get(provider)?.fetchForUnknownKey();
  }

  sets(): IssuerKeySet[] {
    return [...this.#issuers.values()].map((issuer) => issuer.set());
  }

  states(): IssuerState[] {
    return [...this.#issuers.values()].map((issuer) => issuer.state());
  }

  stop(): void {
    for (const issuer of this.#issuers.values()) issuer.stop();
  }
}

class Issuer {
  readonly name: string;
  readonly jwksUri: string;
  failures: number;
  readonly #options: IssuerKeysOptions;
  readonly #stop = new AbortController();
  #keys: readonly IssuerKey[] = [];
  #fetchedAtMs: number | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #retryMs = RETRY_MS.first;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;

  constructor(name: string, jwksUri: string, options: IssuerKeysOptions, failures: number) {
    this.name = name;
    this.jwksUri = jwksUri;
    this.#options = options;
    this.failures = failures;
  }

  set(): IssuerKeySet {
    return { provider: this.name, jwksUri: this.jwksUri, keys: this.#keys };
  }

  state(): IssuerState {
    return {
      provider: this.name,
      keys: this.#keys.length,
      fetchedAtMs: this.#fetchedAtMs,
      failures: this.failures,
    };
  }

  start(): void {
    if (this.#fetchedAtMs === undefined && this.#timer === undefined) void this.#fetch();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async fetchForUnknownKey(): Promise<void> {
    const now = performance.now();
    if (now - this.#askedAt >= UNKNOWN_KEY_EVERY_MS) {
      this.#askedAt = now;
      await this.#fetch();
    } else await this.#underWay;
    if (!this.#stop.signal.aborted) this.#options.tell(this.set());
  }

  /** One at a time: whoever asks meanwhile waits for the same. */
  #fetch(): Promise<void> {
    this.#underWay ??= this.#fetchNow().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #fetchNow(): Promise<void> {
    clearTimeout(this.#timer);
    const { log, tell, http, fetchKeys = fetchFromNetwork } = this.#options;
    const fetched = await fetchKeys(this.jwksUri, this.#stop.signal, http);
    if (this.#stop.signal.aborted) return;
    if ('fault' in fetched) {
      this.failures += 1;
      const fields = { provider: this.name, reason: fetched.fault, keysKept: this.#keys.length };
      // Each of a long row of failures says no more than the first.
      if (this.#retryMs === RETRY_MS.first) log.warn(fields, 'the keys of an identity provider cannot be fetched');
      else log.debug(fields, 'the keys of an identity provider still cannot be fetched');
      this.#again(this.#retryMs);
      this.#retryMs = Math.min(RETRY_MS.longest, this.#retryMs * 2);
      return;
    }
    this.#retryMs = RETRY_MS.first;
    this.#fetchedAtMs = Date.now();
    this.#again(fetched.maxAgeMs * AHEAD);
    if (sameKeys(this.#keys, fetched.keys)) return;
    this.#keys = fetched.keys;
    log.info({ provider: this.name, keys: fetched.keys.length }, 'the keys of an identity provider are known');
    tell(this.set());
  }

  #again(inMs: number): void {
    this.#timer = setTimeout(() => void this.#fetch(), inMs).unref();
  }
}

function sameKeys(one: readonly IssuerKey[], other: readonly IssuerKey[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
