import { CacheUse } from '../cache/cache-use.ts';
import type { AnswerSource } from '../cache/flight.ts';
import { Replay, type ReplayOwner, type ReplayResult } from '../cache/replay.ts';
import { GatewayError } from '../core/errors.ts';
import { ownCache } from '../policy/cache-rules.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import type { Route, Step } from '../routing/route-plan.ts';
import type { RequestContext } from './request-context.ts';

/** A request that was let in, and what guards made of it. */
export interface Way {
  readonly route: Route;
  readonly step: Step;
  readonly guards: readonly AnswerFilterMaker[];
}

/** Whose answer is looked up. */
export interface CacheOwner {
  /** The cache has no answer: a target is asked. */
  send(): void;
  /** Why nothing is to be sent any more; undefined: all is well. */
  whyLeft(): GatewayError | undefined;
  /** It is over before anything was sent. */
  left(error: GatewayError): void;
  rulesJson(step: Step): string | undefined;
  replayed(result: ReplayResult): void;
}

/** How a request uses the cache; undefined: neither its client nor a rule asks for it. */
export function cacheUseOf(request: RequestContext, { route, guards }: Way): CacheUse | undefined {
  const { cache } = request.options;
  const { cacheRules, settings } = request.snapshot;
  const { cache: wished, waits, retry, strictForm } = request.client;
  if ((wished === undefined && cacheRules === undefined) || cache === undefined) return undefined;
  if (settings.cache.maxBytes === 0) return undefined;
  const { exchange, dialect, peeked, caller, metadata, filters } = request;
  const models = route.slug === undefined ? [route.model] : [route.model, route.slug];
  const chosen = cacheRules === undefined ? ownCache(wished) : cacheRules.choose(caller, models, metadata, wished);
  if (chosen === undefined) return undefined;
  return new CacheUse(cache, {
    exchange,
    dialect,
    peeked,
    route,
    caller,
    strictForm,
    settings: chosen.settings,
    rule: chosen.rule,
    server: settings,
    client: { waits, retry },
    isFiltered: filters.length + guards.length > 0,
  });
}

/** Answers from the cache, or says that a target is to be asked. */
export class CacheStage implements ReplayOwner {
  readonly #request: RequestContext;
  readonly #use: CacheUse;
  readonly #way: Way;
  readonly #owner: CacheOwner;
  /** Its answer is that of another exchange. */
  #replaying: Replay | undefined;

  constructor(request: RequestContext, use: CacheUse, way: Way, owner: CacheOwner) {
    this.#request = request;
    this.#use = use;
    this.#way = way;
    this.#owner = owner;
  }

  lookUp(): void {
    const found = this.#use.find();
    if (found instanceof Promise) {
      found
        // The first of several that waited at the same time asks, and the others join it.
        .then((source) => this.#lookedUp(source ?? this.#use.joinable()))
        .catch((cause) => this.#owner.left(new GatewayError('internal_error', { cause })));
    } else this.#lookedUp(found);
  }

  /** False: it is not the cache that answers. */
  breakOff(error: GatewayError): boolean {
    this.#replaying?.breakOff(error);
    return this.#replaying !== undefined;
  }

  unanswered(): void {
    this.#replaying = undefined;
    this.#use.passOver();
    // The first of those who are left alone asks; the others join it.
    this.lookUp();
  }

  replayed(result: ReplayResult): void {
    this.#way.step.observer?.left();
    this.#owner.replayed(result);
  }

  #lookedUp(source: AnswerSource | undefined): void {
    const { route, step, guards } = this.#way;
    const left = this.#owner.whyLeft();
    if (left) {
      step.observer?.left();
      this.#owner.left(left);
      return;
    }
    const request = this.#request;
    const isAnothers = source?.contentType !== undefined && request.targetOf(route, source.target) === undefined;
    if (isAnothers) this.#use.passOver();
    if (source === undefined || isAnothers) {
      this.#owner.send();
      return;
    }
    const rulesJson = this.#owner.rulesJson(step);
    const { exchange, dialect, peeked, filters } = request;
    const replay = new Replay({
      exchange,
      dialect,
      peeked,
      settings: request.snapshot.settings,
      sweeper: request.options.sweeper,
      strictForm: request.client.strictForm,
      source,
      filters: [...guards, ...filters],
      headers: rulesJson === undefined ? [] : ['x-tfy-applied-rules', rulesJson],
      askedAt: this.#use.askedAt,
      target: (id) => request.targetOf(route, id),
      owner: this,
    });
    this.#replaying = replay;
    this.#use.join(replay);
    replay.start();
  }
}
