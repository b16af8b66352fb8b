import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { ApiForm } from '../dialects/dialect.ts';
import type { Mount, ProviderAccount, Target } from '../providers/provider.ts';
import { plainFormOf } from '../relay/choose-mount.ts';
import type { ModelRoutes } from '../routing/model-routes.ts';
import { type Asking, forbidden, modelByHeader } from './asked-account.ts';
import { endpointOrder } from './endpoint-order.ts';
import { namedModel } from './named-model.ts';
import { providerPath } from './proxy-path.ts';

/** A request whose body, where it is read at all, is there. */
export interface AskingWhole extends Asking {
  readonly method: string;
  /** Without the keys that stood in it. */
  readonly query: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Undefined: it is no JSON, or is not held. */
  readonly json: Buffer | undefined;
  /** The forms whose usage can be read while an answer passes. */
  readonly forms: readonly ApiForm[];
}

/** One place that a request may be passed on to. */
export interface ProxyStep {
  readonly target: Target;
  readonly mount: Mount;
  /** From the root, with its query. */
  readonly path: string;
  /** Answers after which the next place is asked. */
  readonly fallbackStatuses: ReadonlySet<number>;
}

/** A request whose places are found. */
export interface Placed {
  readonly steps: readonly ProxyStep[];
  /** Canonical name of what is asked. */
  readonly model: string;
  /** With the provider's own name of the model in it; undefined: as it came. */
  readonly body: Buffer | undefined;
  /** The wire that the request turned out to speak, and what is known of it. */
  readonly spoken: { readonly mount: Mount; readonly form: ApiForm | undefined } | undefined;
}

const NO_STATUSES: ReadonlySet<number> = new Set();

/** Where the request may be passed on to, in order. */
export function askedSteps(asking: AskingWhole, account: ProviderAccount): OrError<Placed> {
  return asking.asked.kind === 'endpoint' ? atEndpoint(asking, account) : atProvider(asking, account);
}

function atEndpoint({ asked, caller, metadata, query }: AskingWhole, account: ProviderAccount): OrError<Placed> {
  const pool = asked.kind === 'endpoint' ? account.endpoints?.get(asked.endpoint) : undefined;
  if (asked.kind !== 'endpoint' || pool === undefined) throw new Error('the place was found before');
  const order = endpointOrder(pool, metadata, caller.allows);
  if (order.length === 0) {
    const allowed = pool.endpoints.some(({ target }) => caller.allows(target.id));
    if (!allowed) return forbidden(caller, `${account.name}/${asked.endpoint}`);
    const detail = `No endpoint of \`${account.name}\` is for the metadata of this request.`;
    return new GatewayError('account_not_found', { detail });
  }
  const steps = order.map(({ target, fallbackStatuses }): ProxyStep => {
    const [mount] = target.mounts.get('raw')!;
    return { target, mount: mount!, path: endpointPath(mount!.basePath + asked.path, query), fallbackStatuses };
  });
  return { steps, model: order[0]!.target.id, body: undefined, spoken: undefined };
}

function atProvider(asking: AskingWhole, account: ProviderAccount): OrError<Placed> {
  const { asked, routes, caller, method, query, json } = asking;
  const named = namedModel(
    { account, caller, resolve: (id) => targetOf(routes, id) },
    { method, path: asked.path, query, body: json },
  );
  if (named instanceof GatewayError) return named;
  const billed = asked.kind === 'provider' ? asked.billed?.target : undefined;
  const target = named.target ?? billed ?? targetByHeader(asking, account);
  if (target instanceof GatewayError) return target;
  const any = target ?? anyTarget(account);
  const [mount] = [...(any?.mounts.values() ?? [])].flat();
  if (any === undefined || mount === undefined || any.local !== undefined) {
    const detail = `\`${account.name}\` has no provider behind a connection.`;
    return new GatewayError('unsupported_operation', { detail, target: `${account.name}/*` });
  }
  const wirePath = mount.wire.path(any, { stream: false });
  const path = providerPath(named.path, mount.basePath, wirePath);
  const step = {
    target: target ?? unnamedTarget(account, any),
    mount,
    path: path + (named.query === '' ? '' : `?${named.query}`),
    fallbackStatuses: NO_STATUSES,
  };
  return { steps: [step], model: step.target.id, body: named.body, spoken: spokenAt(asking, target, path) };
}

/** The target that a header names, for a request that names none itself: records and price use it, access does not. */
function targetByHeader({ headers, routes, caller }: Asking, account: ProviderAccount): OrError<Target | undefined> {
  const name = modelByHeader(headers);
  if (name === undefined) return undefined;
  const route = routes.resolve(name.startsWith(`${account.name}/`) ? name : `${account.name}/${name}`);
  if (route instanceof GatewayError) return route;
  const target = route.targets.find((each) => each.account === account.name);
  if (target !== undefined && !caller.allows(target.id)) return forbidden(caller, target.id);
  return target;
}

/** The wire of the account that has this very path: of its answers the usage can be read. */
function spokenAt({ method, forms }: AskingWhole, target: Target | undefined, path: string): Placed['spoken'] {
  if (target === undefined || method !== 'POST') return undefined;
  for (const mount of [...target.mounts.values()].flat()) {
    const paths = [false, true].map((stream) => mount.path(target, { stream }).split('?', 1)[0]!);
    if (!paths.some((each) => same(each, path))) continue;
    return { mount, form: forms.find(({ name }) => name === plainFormOf(mount.wire)) };
  }
  return undefined;
}

/** Whether its credential signs what is sent, so that the body has to be held whole. */
export function signsBody(account: ProviderAccount): boolean {
  return [...(anyTarget(account)?.mounts.values() ?? [])]
    .flat()
    .some(({ credential }) => credential.signsBody === true);
}

/** Any target of the account: all of them share one connection. Undefined: the account has none. */
export function anyTarget(account: ProviderAccount): Target | undefined {
  return account.listed[0] ?? account.target(account.exampleModel ?? 'any');
}

const unnamedTargets = new WeakMap<ProviderAccount, Target>();

/** Stands for a request that names no model: `account/*`. One object per account, since prices are remembered by it. */
function unnamedTarget(account: ProviderAccount, any: Target): Target {
  let target = unnamedTargets.get(account);
  if (target === undefined) {
    target = { ...any, id: `${account.name}/*`, modelId: '*', modelTypes: undefined, price: NO_PRICE };
    unnamedTargets.set(account, target);
  }
  return target;
}

const NO_PRICE = { catalogueId: undefined, modelId: '*' } as const;

function targetOf(routes: ModelRoutes, id: string): Target | undefined {
  const route = routes.resolve(id);
  return route instanceof GatewayError ? undefined : route.targets.find((each) => each.id === id);
}

function endpointPath(path: string, query: string): string {
  return (path === '' ? '/' : path) + (query === '' ? '' : `?${query}`);
}

/** Paths of providers, whose ids may be written with or without percent-encoding. */
function same(one: string, other: string): boolean {
  return one === other || decodeURIComponent(one) === decodeURIComponent(other);
}
