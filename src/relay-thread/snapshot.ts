import type { Configuration } from '../config/configuration.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Steps } from '../core/steps.ts';
import type { Elsewhere } from '../guardrails/elsewhere.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import type { Guardrails } from '../guardrails/guardrails.ts';
import { DeadlineRunner } from '../guardrails/runner.ts';
import { createLimits, type LimitsOptions, limitsInSteps } from '../limits/limits.ts';
import { TokenForecast } from '../limits/token-forecast.ts';
import { toolRules } from '../limits/tool-rules.ts';
import type { Snapshot } from '../pipeline/pipeline-options.ts';
import { accountsInSteps, guardCredential } from '../plugs.ts';
import { readAccess } from '../policy/access.ts';
import { CacheRules } from '../policy/cache-rules.ts';
import { Callers } from '../policy/caller.ts';
import { isNamed } from '../policy/data-access.ts';
import { RouteRules } from '../policy/route-rules.ts';
import { compileSubjects } from '../policy/subject-match.ts';
import type { Tokens } from '../providers/credential.ts';
import type { Target } from '../providers/provider.ts';
import { bodyPolicy } from '../request-log/body-policy.ts';
import { ModelRoutes } from '../routing/model-routes.ts';
import { HealthMemory } from '../routing/place.ts';
import type { RelayThreadData } from '../threads/messages.ts';
import { catalogueHas, catalogueModels, loadCatalogue, usePriceList } from '../usage/price-catalogue.ts';
import { compilePrice, type Price } from '../usage/price-table.ts';

/** Targets whose price is remembered; an account that lists none has as many as its clients think of. */
const MAX_PRICES = 10_000;

/** What outlives a configuration. */
export interface Lasting extends Omit<LimitsOptions, 'price'> {
  readonly tokens: Tokens;
  readonly health: HealthMemory;
  /** How guards ask others. */
  readonly guardHttp: HttpClient;
  /** Where local guards read long texts. */
  readonly guardElsewhere: Elsewhere;
}

/** Adds what a thread remembers of the usage and the health of targets. */
export function lastingOf({ health }: RelayThreadData, others: Omit<Lasting, 'forecast' | 'health'>): Lasting {
  return { ...others, forecast: new TokenForecast(), health: new HealthMemory(others.now, health) };
}

/** No tool is a target; what it costs is told with the call. */
const NO_TOOL_PRICE = { atMostNanoUsd: () => undefined };

/** The limits of tool calls. */
export function toolLimits(
  configuration: Parameters<typeof toolRules>[0],
  lasting: Lasting,
): ReturnType<typeof createLimits> {
  return createLimits(toolRules(configuration), { ...lasting, price: () => NO_TOOL_PRICE });
}

/** Everything that follows from one configuration. A step for each account and rule; what follows from what did not change is the same. */
export function* snapshotInSteps(configuration: Omit<Configuration, 'keys'>, lasting: Lasting): Steps<Snapshot> {
  const prices = new Map<Target, Price>();
  const price = (target: Target): Price => {
    let known = prices.get(target);
    if (!known) {
      known = compilePrice(target.price);
      if (prices.size < MAX_PRICES) prices.set(target, known);
    }
    return known;
  };
  const accounts = yield* accountsInSteps(configuration, lasting.tokens);
  yield* readAccess(configuration);
  const limits = yield* limitsInSteps(configuration, { ...lasting, price });
  if (accounts.some(({ catalogueId }) => catalogueId !== undefined)) loadCatalogue();
  const { virtualModels, retrySettings: retry, loadBalancing, fallbackRules } = configuration;
  const routing = { virtualModels, retry, memory: lasting.health, laws: configuration.server.routing };
  const routes = new ModelRoutes(accounts, { models: catalogueModels, has: catalogueHas }, routing);
  yield;
  const hasRules = loadBalancing.length > 0 || fallbackRules.length > 0;
  const routeRules = hasRules && routes.balanced ? new RouteRules(configuration, routes.balanced) : undefined;
  yield;
  const callers = new Callers(configuration);
  yield;
  const guardrails = guardrailsOf(configuration, lasting);
  yield;
  // The snapshot that serves until now has compiled what it was asked for.
  usePriceList(configuration.server.prices?.list);
  return {
    settings: configuration.server,
    routes,
    routeRules,
    callers,
    cacheRules: configuration.cacheRules.length > 0 ? new CacheRules(configuration.cacheRules) : undefined,
    limits,
    guardrails,
    exportsTraces: configuration.otel.some(({ traces }) => traces !== undefined),
    bodies: bodyPolicy(configuration, { compileSubjects, isNamed }),
    price,
  };
}

/** Undefined: no guard is configured. */
function guardrailsOf(configuration: Omit<Configuration, 'keys'>, lasting: Lasting): Guardrails | undefined {
  if (configuration.guards.length === 0) return undefined;
  return guardCode().createGuardrails(configuration, new DeadlineRunner(lasting.guardElsewhere), {
    http: lasting.guardHttp,
    elsewhere: lasting.guardElsewhere,
    credentialOf: (guard) => guardCredential(guard, lasting.tokens),
  });
}
