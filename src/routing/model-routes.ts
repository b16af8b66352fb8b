import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { nearNames } from '../core/near-names.ts';
import type { ModelType } from '../inference/operation.ts';
import type { Connection, ProviderAccount, Target } from '../providers/provider.ts';
import { stepRetry } from './balanced-route.ts';
import { BalancedRoutes, credentialsOf, type RoutingOptions } from './balanced-routes.ts';
import { type Route, type StepRetry, TargetRoute } from './route-plan.ts';

/** Models an account without a list can serve: what the price library knows of its provider. */
export interface Catalogue {
  models(catalogueId: string): readonly string[];
  has(catalogueId: string, modelId: string): boolean;
}

export interface ListedModel {
  readonly id: string;
  /** A further name, of a virtual model. */
  readonly slug?: string | undefined;
  readonly ownedBy: string;
  /** Undefined where its manifest does not list it. */
  readonly modelTypes: readonly ModelType[] | undefined;
}

const WELL_FORMED = /^[A-Za-z0-9._:/@+-]{1,256}$/;
const DOT_SEGMENT = /(?:^|\/)\.\.(?:\/|$)/;

/** Names remembered; an account that lists none accepts any name, so this is a bound, not a cache size to tune. */
const MAX_REMEMBERED = 10_000;

/** Name → canonical model and how it is reached: a pure lookup, made once per configuration. */
export class ModelRoutes {
  readonly #accounts: ReadonlyMap<string, ProviderAccount>;
  readonly #catalogue: Catalogue;
  readonly #remembered = new Map<string, OrError<Route>>();
  readonly #balanced: BalancedRoutes | undefined;
  /** By name and by slug. */
  readonly #virtual = new Map<string, Route>();
  readonly #retry: StepRetry | undefined;
  #listed: ListedModel[] | undefined;

  /** `routing` undefined: every model is of an account, and nothing is known of health. */
  constructor(accounts: readonly ProviderAccount[], catalogue: Catalogue, routing?: RoutingOptions) {
    this.#accounts = new Map(accounts.map((account) => [account.name, account]));
    this.#catalogue = catalogue;
    this.#retry = routing?.retry && stepRetry(routing.retry);
    this.#balanced = routing && new BalancedRoutes(this.#accounts, routing);
    for (const route of this.#balanced?.virtual ?? []) {
      this.#virtual.set(route.model, route);
      if (route.slug !== undefined) this.#virtual.set(route.slug, route);
    }
  }

  /** What makes routes for rules; undefined: there is no health to go by. */
  get balanced(): BalancedRoutes | undefined {
    return this.#balanced;
  }

  resolve(name: string): OrError<Route> {
    const known = this.#remembered.get(name);
    if (known) return known;
    const fault = checkModelId(name);
    if (fault) return fault;
    const found = this.#virtual.get(name) ?? this.#find(name);
    const route: OrError<Route> = found
      ? this.#routeTo(found)
      : new GatewayError('model_not_found', { param: 'model', detail: `\`${name}\` is not known.` });
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(name, route);
    return route;
  }

  #routeTo(found: Target | Route): Route {
    if ('plan' in found) return found;
    const account = this.#accounts.get(found.account);
    const targets = account?.others ? credentialsOf(account, found.id.slice(account.name.length + 1)) : [];
    if (targets.length > 1 && this.#balanced !== undefined) return this.#balanced.ofCredentials(targets);
    return new TargetRoute(found, this.#retry);
  }

  /** The same refusal with near names among those the caller may use. */
  notFound(name: string, allowed: (model: string, slug?: string) => boolean): GatewayError {
    const candidates = this.list()
      .filter(({ id, slug }) => allowed(id, slug))
      .flatMap(({ id, slug }) => (slug === undefined ? [id] : [id, slug]));
    // A bare name is compared with bare names: the account in front would make all of them far away.
    const bareNames = name.includes('/') ? [] : candidates.map((id) => id.slice(id.indexOf('/') + 1));
    const nearBare = nearNames(name, [...new Set(bareNames)]);
    const near =
      bareNames.length > 0
        ? candidates.filter((id) => nearBare.includes(id.slice(id.indexOf('/') + 1)))
        : nearNames(name, candidates);
    const bare = candidates.filter((id) => id.slice(id.indexOf('/') + 1) === name).slice(0, 3);
    const names = [...new Set([...bare, ...near])].slice(0, 3);
    const quoted = names.map((each) => `\`${each}\``).join(', ');
    const hint =
      bare.length > 1
        ? `Several accounts serve it: name one of ${quoted}.`
        : names.length > 0
          ? `Did you mean: ${quoted}?`
          : this.#whyUnknown(name, candidates);
    return new GatewayError('model_not_found', {
      param: 'model',
      detail: `\`${name}\` is not known. ${hint}`.trimEnd(),
    });
  }

  /** What the configuration lacks for this name, where no other name is near; `candidates`: what the caller may use. */
  #whyUnknown(name: string, candidates: readonly string[]): string {
    const accounts = [...this.#accounts.values()];
    if (accounts.length > 0 && this.#virtual.size === 0 && accounts.every(isLocal)) {
      return 'No provider is configured, so only the demo answers: its operator must add an account, as `sluice add openai` does.';
    }
    const slash = name.indexOf('/');
    const prefix = name.slice(0, slash + 1);
    if (slash > 0 && candidates.some((id) => id.startsWith(prefix))) {
      return `The account \`${prefix.slice(0, -1)}\` serves the models that its \`integrations\` list, and this is none of them.`;
    }
    return '';
  }

  list(): readonly ListedModel[] {
    if (this.#listed) return this.#listed;
    this.#listed = [];
    for (const { model, slug, modelTypes } of this.#balanced?.virtual ?? []) {
      this.#listed.push({ id: model, slug, ownedBy: 'virtual-model', modelTypes });
    }
    for (const account of this.#accounts.values()) {
      const { name, listed, provider: ownedBy } = account;
      for (const { id, modelTypes } of listed) this.#listed.push({ id, ownedBy, modelTypes });
      if (listed.length > 0) continue;
      for (const model of this.#catalogueOf(account)) {
        this.#listed.push({ id: `${name}/${model}`, ownedBy, modelTypes: undefined });
      }
    }
    return this.#listed;
  }

  account(name: string): ProviderAccount | undefined {
    return this.#accounts.get(name);
  }

  accountsOfTypes(types: ReadonlySet<string>): ProviderAccount[] {
    return [...this.#accounts.values()].filter(({ type }) => types.has(type));
  }

  /** The connections of all accounts, also of those that list no models. */
  *connections(): Iterable<Connection> {
    for (const account of this.#accounts.values()) {
      for (const { connections } of [account, ...(account.others ?? [])]) yield* connections;
    }
  }

  #catalogueOf(account: ProviderAccount): readonly string[] {
    return account.catalogueId === undefined ? [] : this.#catalogue.models(account.catalogueId);
  }

  #find(name: string): Target | undefined {
    const slash = name.indexOf('/');
    if (slash > 0) {
      const account = this.#accounts.get(name.slice(0, slash));
      if (account && slash + 1 < name.length) return account.target(name.slice(slash + 1));
    }
    return this.#findBare(name);
  }

  /** A bare id: exactly one account lists it, or of those that list none exactly one's catalogue knows it. */
  #findBare(name: string): Target | undefined {
    let only: Target | undefined;
    for (const account of this.#accounts.values()) {
      if (account.listed.length === 0) continue;
      const target = account.target(name);
      if (!target) continue;
      if (only) return undefined;
      only = target;
    }
    if (only) return only;
    for (const account of this.#accounts.values()) {
      if (account.listed.length > 0 || account.catalogueId === undefined) continue;
      if (account.modelIds?.test(name) === false || !this.#catalogue.has(account.catalogueId, name)) continue;
      if (only) return undefined;
      only = account.target(name);
    }
    return only;
  }
}

/** Its models answer inside the gateway. */
function isLocal({ listed }: ProviderAccount): boolean {
  return listed.length > 0 && listed.every(({ local }) => local !== undefined);
}

/** What a client may write at all, before any rule or path is built from it. */
export function checkModelId(name: string): GatewayError | undefined {
  if (WELL_FORMED.test(name) && !DOT_SEGMENT.test(name)) return undefined;
  return new GatewayError('invalid_model', { param: 'model' });
}
