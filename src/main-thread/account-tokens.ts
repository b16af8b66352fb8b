import type { Configuration } from '../config/configuration.ts';
import type { AccountToken } from '../core/account-token.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { TokenSource } from '../providers/credential.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { MainService } from './main-service.ts';

/** The part of a token's life after which it is renewed, so that the next one is here before it ends. */
const AHEAD = 0.8;
/** The delay of a retry doubles with each failure, between these. */
const RETRY_MS = { first: 1_000, longest: 60_000 };
const FETCH_TIMEOUT_MS = 30_000;
/** A timer holds no more than 24.8 days; a token that lives longer is asked for again sooner. */
const MAX_DELAY_MS = 86_400_000;
const MAX_REASON_CHARACTERS = 500;

export interface AccountTokensOptions {
  /** The sources of a configuration. */
  sources(configuration: Configuration): readonly TokenSource[];
  /** Tells every relay thread all tokens, whenever one came. */
  tell(tokens: readonly AccountToken[]): void;
  readonly http: HttpClient;
  readonly log: Log;
}

/**
 * Tokens of accounts whose credentials end, on the main thread: each is fetched at the start and again when four fifths
 * of its life are over, one fetch at a time. While that fails the old one stays in use until it ends. Relay threads are
 * told and never fetch.
 */
export class AccountTokens implements MainService {
  readonly #options: AccountTokensOptions;
  #renewals = new Map<string, Renewal>();

  constructor(options: AccountTokensOptions) {
    this.#options = options;
  }

  /** Sources that stay keep their tokens. */
  reconfigure(configuration: Configuration): void {
    const before = this.#renewals;
    this.#renewals = new Map();
    for (const source of this.#options.sources(configuration)) {
      const known = before.get(source.id);
      before.delete(source.id);
      this.#renewals.set(source.id, known ?? new Renewal(source, this.#options, this.#tell));
    }
    for (const gone of before.values()) gone.stop();
    for (const renewal of this.#renewals.values()) renewal.start();
  }

  /** All tokens of now, which a new relay thread begins with. */
  tokens(): AccountToken[] {
    return [...this.#renewals.values()].flatMap(({ token }) => token ?? []);
  }

  /** The names of accounts are the configuration's, so these families are bounded. */
  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'sluice_account_token_refresh_failures_total',
      'Times a token of an account could not be fetched; the one before stays in use until it ends',
      () => this.#samples((renewals) => renewals.reduce((sum, { failures }) => sum + failures, 0)),
    );
    registry.family(
      'gauge',
      'sluice_account_token_seconds_left',
      'Time until the token of an account ends; 0 where it has none',
      () => this.#samples((renewals) => Math.min(...renewals.map((renewal) => renewal.secondsLeft))),
    );
  }

  close(): void {
    for (const renewal of this.#renewals.values()) renewal.stop();
  }

  readonly #tell = (): void => this.#options.tell(this.tokens());

  /** An account with several credentials is one series. */
  #samples(value: (renewals: readonly Renewal[]) => number) {
    const byAccount = Map.groupBy(this.#renewals.values(), ({ account }) => account);
    return [...byAccount].map(([account, renewals]) => ({ labels: { account }, value: value(renewals) }));
  }
}

/** One source and the token it gave last. */
class Renewal {
  token: AccountToken | undefined;
  failures = 0;
  readonly #source: TokenSource;
  readonly #http: HttpClient;
  readonly #log: Log;
  readonly #onToken: () => void;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #underWay = false;
  #retryMs = RETRY_MS.first;
  #saidEnded = false;

  constructor(source: TokenSource, { http, log }: Pick<AccountTokensOptions, 'http' | 'log'>, onToken: () => void) {
    this.#source = source;
    this.#http = http;
    this.#log = log;
    this.#onToken = onToken;
  }

  get account(): string {
    return this.#source.account;
  }

  get secondsLeft(): number {
    return this.token === undefined ? 0 : Math.max(0, (this.token.expiresAtMs - Date.now()) / 1000);
  }

  /** Does nothing where it runs already. */
  start(): void {
    if (!this.#underWay && this.#timer === undefined) void this.#renew();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #renew(): Promise<void> {
    this.#underWay = true;
    this.#timer = undefined;
    const fetched = await this.#fetch();
    this.#underWay = false;
    if (this.#stop.signal.aborted) return;
    if (typeof fetched === 'string') this.#failed(fetched);
    else this.#renewed(fetched);
  }

  /** A token, or why there is none. Never throws, and takes no longer than it may, whatever the source does. */
  async #fetch(): Promise<AccountToken | string> {
    const deadline = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    const signal = AbortSignal.any([this.#stop.signal, deadline]);
    const tooLate = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error(`no answer within ${FETCH_TIMEOUT_MS} ms`)));
    });
    try {
      const { values, expiresAtMs } = await Promise.race([this.#source.fetch(signal, this.#http), tooLate]);
      if (!(expiresAtMs > Date.now())) return 'the token that was given has ended already';
      return { id: this.#source.id, values, expiresAtMs };
    } catch (error) {
      // Whatever it is: the account has no new token, and the log says why.
      return (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS);
    }
  }

  #renewed(token: AccountToken): void {
    const { account } = this;
    if (this.#retryMs > RETRY_MS.first) this.#log.info({ account }, 'the token of an account is renewed again');
    this.token = token;
    this.#retryMs = RETRY_MS.first;
    this.#saidEnded = false;
    this.#again((token.expiresAtMs - Date.now()) * AHEAD);
    this.#onToken();
  }

  #failed(reason: string): void {
    this.failures += 1;
    const { account, secondsLeft } = this;
    const fields = { account, reason, secondsLeft: Math.round(secondsLeft) };
    if (secondsLeft === 0 && !this.#saidEnded) {
      this.#saidEnded = true;
      this.#log.error(fields, 'an account has no valid token: requests to it are refused');
    } else if (this.#retryMs === RETRY_MS.first) {
      this.#log.warn(fields, 'the token of an account cannot be renewed; it is used until it ends');
    } else {
      // Further failures in a row say no more than the first.
      this.#log.debug(fields, 'the token of an account still cannot be renewed');
    }
    // The retry comes no later than the end of the token, so that the log says in time that it ended.
    this.#again(secondsLeft > 0 ? Math.min(this.#retryMs, secondsLeft * 1000) : this.#retryMs);
    this.#retryMs = Math.min(RETRY_MS.longest, this.#retryMs * 2);
  }

  #again(inMs: number): void {
    this.#timer = setTimeout(() => void this.#renew(), Math.min(inMs, MAX_DELAY_MS)).unref();
  }
}
