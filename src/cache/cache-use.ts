import type { RuledCache } from '../config/rules/caching.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PeekedRequest } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import type { ClientSettings } from '../policy/client-settings.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import type { SharedAnswer } from '../relay/shared-answer.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { AnswerCache, Found } from './answer-cache.ts';
import { type CacheKey, canonicalBody, type KeyedRequest, keyFrom, keyOf, MAX_KEYED_BYTES } from './cache-key.ts';
import { type AnswerSource, Flight, type FlightReader } from './flight.ts';
import type { KnownRequest } from './known-requests.ts';
import { recordedAnswer } from './recorded-answer.ts';
import type { Likeness, NoVector } from './semantic-index.ts';
import { type ExactOnly, type SemanticRequest, semanticRequest } from './semantic-request.ts';
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
  /** Undefined: its bytes are new to this thread. */
  readonly #known: KnownRequest | undefined;
  /** Undefined: only equal requests are alike. */
  readonly #semantic: SemanticRequest | undefined;
  /** Why they are, where more was asked for. */
  readonly #exactOnly: ExactOnly | undefined;
  /** The result of the vector search; undefined: no search has been made. */
  #likeness: Likeness | NoVector | undefined;
  /** Where nothing is served: the answer that would have been. */
  #shadowed: AnswerSource | undefined;
  #source: AnswerSource | undefined;
  #flight: Flight | undefined;
  /** Other threads wait for this exchange to ask. */
  #claimed: string | undefined;
  /** Another thread was waited for in vain. */
  #asksAlone = false;

  constructor(cache: AnswerCache, request: CacheRequest) {
    this.#cache = cache;
    this.#request = request;
    const isExact = request.settings.type !== 'semantic';
    this.#known = isExact && mayBeCached(request) ? cache.known.find(request) : undefined;
    this.#key = this.#known?.key;
    if (this.#known !== undefined) return;
    const body = keyedBody(request);
    if (body === undefined) {
      this.status = 'bypass';
      return;
    }
    this.#key = keyOf(request, body);
    if (isExact) return;
    const semantic = semanticRequest(request, body, cache.semantic?.model, request.server.cache.semantic);
    if (typeof semantic === 'string') this.#exactOnly = semantic;
    else this.#semantic = semantic;
  }

  /** An answer, or one on its way; undefined: it has to be asked for. */
  find(): AnswerSource | undefined | Promise<AnswerSource | undefined> {
    const key = this.#key;
    if (key === undefined) return undefined;
    const equal = this.#findEqual(key);
    const isDone = this.#semantic === undefined || this.#likeness !== undefined;
    if (equal instanceof Promise) return isDone ? equal.then(this.#served) : this.#findAny(key, equal);
    return equal !== undefined || isDone ? this.#served(equal) : this.#findAny(key, undefined);
  }

  #findEqual(key: CacheKey): AnswerSource | undefined | Promise<AnswerSource | undefined> {
    const flight = this.joinable();
    if (flight !== undefined) return flight;
    const known = this.#known && this.#cache.findAgain(this.#known);
    if (known?.replay === this.#request.settings.replay) return this.#found('hit', known);
    const found = this.#cache.find(key);
    return found instanceof Promise ? found.then((answer) => this.#stored(answer)) : this.#stored(found);
  }

  /** That of an equal request first; then that of one that is like it. */
  async #findAny(
    key: CacheKey,
    equal: Promise<AnswerSource | undefined> | undefined,
  ): Promise<AnswerSource | undefined> {
    return this.#served((await equal) ?? (await this.#findLike(key)));
  }

  /** An equal request's answer that is on its way; undefined: there is none. */
  joinable(): AnswerSource | undefined {
    const key = this.#key;
    if (key === undefined || this.#request.settings.shadow || !this.#cache.hasFlights) return undefined;
    const flight = this.#cache.flight(this.#flightKey(key));
    return flight && this.#found('joined', flight);
  }

  async #findLike(key: CacheKey): Promise<AnswerSource | undefined> {
    const { exchange, settings } = this.#request;
    const likeness = await this.#cache.semantic!.find(exchange, this.#semantic!, key, settings.similarityThreshold);
    this.#likeness = likeness;
    if (typeof likeness === 'string') {
      this.status = 'error';
      return undefined;
    }
    for (const { answer, similarity } of likeness.found) {
      const found = await this.#cache.find(keyFrom(answer, key.space));
      if (found !== undefined && found !== 'away') {
        return this.#found('hit', new StoredAnswer(found.answer, settings.replay, similarity));
      }
    }
    return undefined;
  }

  /** Nothing where it is only looked what would be. */
  #served = (found: AnswerSource | undefined): AnswerSource | undefined => {
    if (!this.#request.settings.shadow) return found ?? this.#elsewhere();
    this.#shadowed = found;
    this.#source = undefined;
    if (found !== undefined) this.status = 'miss';
    return undefined;
  };

  /** An equal request's answer that is on its way in another thread. */
  #elsewhere(): AnswerSource | undefined {
    const key = this.#key;
    if (key === undefined || this.#asksAlone || this.#claimed !== undefined) return undefined;
    const { exchange, server } = this.#request;
    const flightKey = this.#flightKey(key);
    const flight = this.#cache.elsewhere(key.words, flightKey, exchange, server);
    if (flight === undefined) return undefined;
    if (flight !== 'claimed') return this.#found('joined', flight);
    this.#claimed = flightKey;
    return undefined;
  }

  #unclaim(): void {
    if (this.#claimed !== undefined) this.#cache.unclaim(this.#claimed);
    this.#claimed = undefined;
  }

  /** An answer that is on its way has to know who waits for it. */
  join(reader: FlightReader): void {
    if (this.#source instanceof Flight) this.#source.join(reader);
  }

  /** What was found cannot be used after all. */
  passOver(): void {
    if (this.#source instanceof Flight) this.#asksAlone = true;
    this.#source = undefined;
    this.status = 'miss';
  }

  /** Flat name-value pairs for the head of an answer that a provider gives. */
  get headers(): readonly string[] {
    const status = this.status === 'error' || this.status === 'bypass' ? this.status : 'miss';
    const list = ['x-tfy-cache-status', status];
    if (!this.#request.settings.shadow || this.#key === undefined) return list;
    const would = this.#shadowed;
    list.push('x-sluice-cache-shadow', would === undefined ? 'miss' : 'hit');
    const similarity = would === undefined ? this.#nearest : (would.similarity ?? 1);
    if (similarity !== undefined) list.push('x-tfy-cache-similarity-score', similarity.toFixed(4));
    return list;
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
    const flightKey = isAlone || settings.shadow ? undefined : this.#flightKey(key);
    if (flightKey === undefined) this.#unclaim();
    this.#claimed = undefined;
    const flight = this.#cache.lead(flightKey, exchange, server);
    this.#flight = flight;
    const whole = ({ usage }: UsageMeter): void => {
      flight.finish(usage && nanoUsd(usage, flight.target));
      const { unfinished } = dialect.cached!;
      const isKept = this.#cache.keep(key, flight, { settings, limits: server.cache, unfinished });
      const likeness = this.#likeness;
      if (!isKept || this.#semantic === undefined || likeness === undefined || typeof likeness === 'string') return;
      this.#cache.semantic?.add(this.#semantic, likeness.vector, key, settings.ttlMs, server.cache.semantic);
    };
    return { filter: recordedAnswer(flight, whole), shared: flight };
  }

  /** The exchange is over. */
  over(error: GatewayError | undefined): void {
    this.#unclaim();
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

  /** What the record says of the cache. */
  get json(): string {
    const { settings, rule } = this.#request;
    const source = this.#source;
    if (settings.type === 'exact-match' && this.status === 'hit' && source instanceof StoredAnswer)
      return source.hitJson(rule);
    return JSON.stringify({
      status: this.status,
      type: settings.type,
      ...(rule !== undefined && { rule }),
      ...(this.isHit && { from: this.#source?.exchange, saved_nano_usd: this.#source?.nanoUsd }),
      ...(this.isHit && this.#source?.similarity !== undefined && { similarity: rounded(this.#source.similarity) }),
      ...(this.#exactOnly !== undefined && { exact_only: this.#exactOnly }),
      ...(this.#likeness !== undefined && !this.isHit && this.#likenessJson(this.#likeness)),
      ...(settings.shadow && this.#key !== undefined && { shadow: this.#shadowJson() }),
    });
  }

  get #nearest(): number | undefined {
    return typeof this.#likeness === 'object' ? this.#likeness.nearest : undefined;
  }

  /** Why no question was near enough. */
  #likenessJson(likeness: Likeness | NoVector): object {
    if (typeof likeness === 'string') return { vector: likeness };
    const { nearest, guard } = likeness;
    return { ...(nearest !== undefined && { nearest: rounded(nearest) }), ...(guard !== undefined && { guard }) };
  }

  #shadowJson(): object {
    const would = this.#shadowed;
    if (would === undefined) return { status: 'miss' };
    const { exchange: from, nanoUsd: saved_nano_usd, similarity = 1 } = would;
    return { status: 'hit', from, saved_nano_usd, similarity: rounded(similarity) };
  }

  #stored(found: Found): AnswerSource | undefined {
    if (found === 'away') this.status = 'error';
    if (found === undefined || found === 'away') return undefined;
    const { settings } = this.#request;
    const { answer, place } = found;
    const stored = new StoredAnswer(answer, settings.replay);
    if (place !== undefined && settings.type === 'exact-match')
      this.#cache.known.add(this.#request, this.#key!, { place, stored });
    // Meanwhile another request may have begun an attempt: the cached answer is there sooner.
    return this.#found('hit', stored);
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

function rounded(similarity: number): number {
  return Math.round(similarity * 10_000) / 10_000;
}

/** Canonical; undefined: of this request no answer is cached. */
function keyedBody(request: CacheRequest): string | undefined {
  return mayBeCached(request) ? canonicalBody(request.exchange.body, request.dialect.cached!) : undefined;
}

/** Whether answers of such requests are cached, as far as can be told without reading the body. */
function mayBeCached({ exchange, dialect, peeked }: CacheRequest): boolean {
  const { body, spooled } = exchange;
  const isKeyed = spooled === undefined && body.length > 0 && body.length <= MAX_KEYED_BYTES;
  if (dialect.cached === undefined || !isKeyed) return false;
  const { state } = peeked;
  if (state === undefined) return true;
  const isItsOwn = state.stores || state.background || state.previousId !== undefined;
  return !isItsOwn && state.conversationId === undefined;
}
