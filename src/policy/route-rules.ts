import type { Configuration } from '../config/configuration.ts';
import type { FallbackRule, LoadBalancingRule, RouteTarget } from '../config/rules/routing-settings.ts';
import { GenerationCache } from '../core/generation-cache.ts';
import type { BalancedRoutes } from '../routing/balanced-routes.ts';
import type { Route } from '../routing/route-plan.ts';
import type { Caller } from './caller.ts';
import type { Metadata } from './metadata.ts';
import { type CompiledMatch, compileMatch } from './rule-match.ts';

/** Routes remembered, by model and rules: clients name models where an account lists none. */
const MAX_ROUTES = 2_048;

interface Compiled<Rule> {
  readonly rule: Rule;
  readonly match: CompiledMatch;
}

/**
 * `gateway-load-balancing-config` and `gateway-fallback-config`: a request for a model of an account goes where the first
 * rule of either kind says that matches caller, model and metadata. Virtual models say for themselves.
 */
export class RouteRules {
  readonly #balancing: readonly Compiled<LoadBalancingRule>[];
  readonly #fallbacks: readonly Compiled<FallbackRule>[];
  readonly #routes: BalancedRoutes;
  readonly #made = new GenerationCache<Route>(MAX_ROUTES);

  constructor(
    { loadBalancing, fallbackRules }: Pick<Configuration, 'loadBalancing' | 'fallbackRules'>,
    routes: BalancedRoutes,
  ) {
    this.#balancing = loadBalancing.map((rule) => ({ rule, match: compileMatch(rule.match) }));
    this.#fallbacks = fallbackRules.map((rule) => ({ rule, match: compileMatch(rule.match) }));
    this.#routes = routes;
  }

  apply(route: Route, caller: Caller, metadata: Metadata): Route {
    if (route.isVirtual) return route;
    const models = [route.model];
    const balancing = firstOf(this.#balancing, caller, models, metadata);
    const fallback = firstOf(this.#fallbacks, caller, models, metadata);
    if (balancing === undefined && fallback === undefined) return route;
    const key = `${balancing?.id ?? ''}\0${fallback?.id ?? ''}\0${route.model}`;
    let made = this.#made.get(key);
    if (made === undefined) {
      made = this.#make(route.model, balancing, fallback);
      this.#made.set(key, made);
    }
    return made;
  }

  #make(model: string, balancing: LoadBalancingRule | undefined, fallback: FallbackRule | undefined): Route {
    const statuses = fallback?.statuses;
    const tail = (fallback?.targets ?? []).map(
      (each): RouteTarget => ({ ...each, fallbackStatuses: statuses, fallbackCandidate: true }),
    );
    const asked: RouteTarget = { target: model, priority: 0, fallbackStatuses: statuses, fallbackCandidate: true };
    const own = balancing?.routing ?? { strategy: 'priority' as const, targets: [asked] };
    const routing =
      statuses === undefined
        ? own
        : {
            ...own,
            targets: own.targets.map((each) => ({ ...each, fallbackStatuses: each.fallbackStatuses ?? statuses })),
          };
    const rules = [balancing?.id, fallback?.id].filter((id) => id !== undefined).join(', ');
    // A rule for fallbacks alone brings no retries of its own.
    const retry = balancing === undefined ? { maxRetries: 0 } : undefined;
    return this.#routes.make({ model, rule: rules, routing, tail, retry });
  }
}

function firstOf<Rule>(
  rules: readonly Compiled<Rule>[],
  caller: Caller,
  models: readonly string[],
  metadata: Metadata,
): Rule | undefined {
  return rules.find(
    ({ match }) =>
      match.fits(caller, models) &&
      match.metadata.every(({ key, holds }) => holds(Object.hasOwn(metadata, key) ? metadata[key] : undefined)),
  )?.rule;
}
