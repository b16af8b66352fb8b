import type { RetrySettings, VirtualModelGroup } from '../config/rules/routing-settings.ts';
import type { RoutingLimits } from '../config/server/routing.ts';
import type { ProviderAccount, Target } from '../providers/provider.ts';
import { BalancedRoute, type BalancedRouteOptions } from './balanced-route.ts';
import type { HealthMemory } from './place.ts';
import { CREDENTIAL_STATUSES } from './retry-policy.ts';

export interface RoutingOptions {
  readonly virtualModels: readonly VirtualModelGroup[];
  /** The retries of `gateway-global-settings`; undefined: each kind of route has its default. */
  readonly retry: RetrySettings | undefined;
  readonly memory: HealthMemory;
  readonly laws: RoutingLimits;
}

type RouteSetup = Omit<BalancedRouteOptions, 'targetsOf' | 'memory' | 'laws'>;

/** Makes the routes of one configuration that have several targets. */
export class BalancedRoutes {
  readonly virtual: readonly BalancedRoute[];
  readonly #accounts: ReadonlyMap<string, ProviderAccount>;
  readonly #options: RoutingOptions;

  constructor(accounts: ReadonlyMap<string, ProviderAccount>, options: RoutingOptions) {
    this.#accounts = accounts;
    this.#options = options;
    this.virtual = options.virtualModels.flatMap(({ integrations }) =>
      integrations.map(({ name, slug, modelTypes, routing }) =>
        this.make({ model: name, slug, modelTypes, routing, isVirtual: true }),
      ),
    );
  }

  make({ retry = this.#options.retry, ...setup }: RouteSetup): BalancedRoute {
    const { memory, laws } = this.#options;
    return new BalancedRoute({ ...setup, retry, memory, laws, targetsOf: (name) => this.targetsOf(name) });
  }

  /** One model of an account that has several credentials: another is asked where one is refused or limited. */
  ofCredentials(targets: readonly Target[]): BalancedRoute {
    const { memory, laws, retry = { maxRetries: 0 } } = this.#options;
    const model = targets[0]!.id;
    const written = { target: model, priority: 0, fallbackStatuses: [...CREDENTIAL_STATUSES], fallbackCandidate: true };
    const routing = { strategy: 'priority' as const, targets: [written] };
    return new BalancedRoute({ model, routing, retry, memory, laws, targetsOf: () => targets });
  }

  /** A model with each credential of its account; empty: there is none of this name. */
  targetsOf(name: string): readonly Target[] {
    const slash = name.indexOf('/');
    const account = this.#accounts.get(name.slice(0, slash));
    const model = name.slice(slash + 1);
    return account === undefined ? [] : credentialsOf(account, model);
  }
}

export function credentialsOf(account: ProviderAccount, model: string): Target[] {
  const { others = [] } = account;
  return [account, ...others].flatMap((each) => each.target(model) ?? []);
}
