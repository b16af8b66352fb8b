import type { RuledCache, ServerSettings } from '../config/configuration.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PeekedRequest } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import type { ClientSettings } from '../policy/client-settings.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import type { SharedAnswer } from '../relay/shared-answer.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { AnswerCache, Found } from './answer-cache.ts';
import { type CacheKey, cacheKey, type KeyedRequest, MAX_KEYED_BYTES } from './cache-key.ts';
import type { CachedAnswer } from './cached-answer.ts';
import { type AnswerSource, Flight, type FlightReader } from './flight.ts';
import { recordedAnswer } from './recorded-answer.ts';
import { StoredAnswer } from './stored-answer.ts';

/** What became of an exchange that asked for the cache. `joined`: it got the answer of another that was on its way. */
export type CacheStatus = 'hit' | 'joined' | 'miss' | 'error' | 'bypass';

export interface CacheRequest extends KeyedRequest {
  readonly exchange: Exchange;
  readonly peeked: PeekedRequest;
  readonly settings: RuledCache;
  /** Id of the rule that they are from; undefined: the client's own. */
  readonly rule: string | undefined;
  readonly server: ServerSettings;
  readonly client: Pick<ClientSettings, 'waits' | 'retry'>;
  /** Filters of this exchange alone: whoever has some shares attempts with itself only. */
  readonly isFiltered: boolean;
}

/** Codes with which an exchange ends that say nothing of what others would get. */
const OWN_ENDS: ReadonlySet<GatewayError['code']> = new Set<GatewayError['code']>([
  'client_closed',
  'write_timeout',
  'draining',
]);

/** One exchange and the cache. */
export class CacheUse {
  status: CacheStatus = 'miss';
  readonly askedAt = performance.now();
  readonly #cache: AnswerCache;
  readonly #request: CacheRequest;
  readonly #key: CacheKey | undefined;
  #source: AnswerSource | undefined;
  #flight: Flight | undefined;

  constructor(cache: AnswerCache, request: CacheRequest) {
    this.#cache = cache;
    this.#request = request;
    this.#key = keyFor(request);
    if (this.#key === undefined) this.status = 'bypass';
  }

  /** An answer, or one on its way; undefined: it has to be asked for. */
  find(): AnswerSource | undefined | Promise<AnswerSource | undefined> {
    if (this.#key === undefined) return undefined;
    const flight = this.#cache.flight(this.#flightKey(this.#key));
    if (flight !== undefined) return this.#found('joined', flight);
    const found = this.#cache.find(this.#key);
    return found instanceof Promise ? found.then((answer) => this.#stored(answer)) : this.#stored(found);
  }

  /** An answer that is on its way has to know who waits for it. */
  join(reader: FlightReader): void {
    if (this.#source instanceof Flight) this.#source.join(reader);
  }

  /** What was found cannot be used after all. */
  passOver(): void {
    this.#source = undefined;
    this.status = 'miss';
  }

  /** Flat name-value pairs for the head of an answer that a provider gives. */
  get headers(): readonly string[] {
    return ['x-tfy-cache-status', this.status === 'error' || this.status === 'bypass' ? this.status : 'miss'];
  }

  /**
   * The answer is asked for: it is recorded, and those who ask the same meanwhile join. `isAlone`: they may not.
   * `nanoUsd`: what it cost.
   */
  lead(
    isAlone: boolean,
    nanoUsd: (usage: Usage, target: string) => number | undefined,
  ): { readonly filter: AnswerFilterMaker; readonly shared: SharedAnswer } | undefined {
    const key = this.#key;
    if (key === undefined) return undefined;
    const { exchange, server, settings, dialect } = this.#request;
    const flightKey = isAlone ? undefined : this.#flightKey(key);
    const flight = this.#cache.lead(flightKey, exchange, server);
    this.#flight = flight;
    const whole = ({ usage }: UsageMeter): void => {
      flight.finish(usage && nanoUsd(usage, flight.target));
      const { unfinished } = dialect.cached!;
      this.#cache.keep(key, flight, { settings, limits: server.cache, unfinished, usage });
    };
    return { filter: recordedAnswer(flight, whole), shared: flight };
  }

  /** The exchange is over. */
  over(error: GatewayError | undefined): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    this.#flight = undefined;
    if (error === undefined || OWN_ENDS.has(error.code)) flight.left();
    else flight.fail(error);
  }

  /** No provider was asked for it. */
  get isHit(): boolean {
    return this.status === 'hit' || this.status === 'joined';
  }

  /** For the record. */
  get json(): string {
    const { settings, rule } = this.#request;
    return JSON.stringify({
      status: this.status,
      type: settings.type,
      ...(rule !== undefined && { rule }),
      ...(this.isHit && { from: this.#source?.exchange, saved_nano_usd: this.#source?.nanoUsd }),
    });
  }

  #stored(found: Found): AnswerSource | undefined {
    if (found === 'away') this.status = 'error';
    if (found === undefined || found === 'away') return undefined;
    // Meanwhile somebody may have begun to ask: the answer at hand is there sooner.
    return this.#found('hit', new StoredAnswer(found satisfies CachedAnswer, this.#request.settings.replay));
  }

  #found(status: CacheStatus, source: AnswerSource): AnswerSource {
    this.status = status;
    this.#source = source;
    return source;
  }

  /** Those who would wait or try otherwise do not share an attempt. */
  #flightKey({ text }: CacheKey): string {
    const { client, isFiltered, caller } = this.#request;
    const { waits, retry } = client;
    const statuses = retry?.statuses && [...retry.statuses];
    return JSON.stringify([text, waits, retry, statuses, isFiltered ? caller.principal.subject : '']);
  }
}

function keyFor(request: CacheRequest): CacheKey | undefined {
  const { exchange, dialect, peeked } = request;
  const { cached } = dialect;
  const { body, spooled } = exchange;
  if (cached === undefined || spooled !== undefined || body.length === 0 || body.length > MAX_KEYED_BYTES) {
    return undefined;
  }
  const { state } = peeked;
  const isKept = state !== undefined && (state.stores || state.background || state.previousId !== undefined);
  return isKept || state?.conversationId !== undefined ? undefined : cacheKey(request, cached);
}
