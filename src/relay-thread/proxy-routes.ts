import type { Exchange, Method } from '../core/exchange.ts';
import type { PassingRoutes, Route } from '../edge/routes.ts';
import type { ProxyAsked } from '../proxy/asked-account.ts';
import { runProxy } from '../proxy/proxy.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { withoutOwnBase } from '../proxy/proxy-path.ts';
import type { ProviderBatchEndpoint } from './provider-batches.ts';

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const ENDPOINT = '/proxy-api/{account}/{endpoint}/{*path}';

type Asked = (exchange: Exchange) => ProxyAsked;

/** Paths behind which requests pass as they are; `passedAt`: by pattern the kinds of account that it is for. */
export function proxyRoutes(
  options: ProxyOptions,
  passedAt: ReadonlyMap<string, ReadonlySet<string>>,
  errorBody: Route['errorBody'],
): Route[] {
  const endpoint = passing(ENDPOINT, options, errorBody, ({ params }) => ({
    kind: 'endpoint',
    account: params['account'] ?? '',
    endpoint: params['endpoint'] ?? '',
    path: params['path'] ?? '',
  }));
  const native = [...passedAt].flatMap(([pattern, kinds]) =>
    passing(pattern, options, errorBody, ({ params, headers }) => ({
      kind: 'provider',
      account: params['account'],
      kinds,
      path: isMount(pattern) ? (params['path'] ?? '') : withoutOwnBase(headers.url ?? ''),
    })),
  );
  return [...endpoint, ...native];
}

/** Whatever path is not the gateway's own is a provider's, where the request names an account. */
export function anyProviderPath(
  options: ProxyOptions,
  batches: ProviderBatchEndpoint,
  errorBody: Route['errorBody'],
): PassingRoutes {
  const pattern = '/{+path}';
  const routes = passing(pattern, options, errorBody, ({ headers }) => ({
    kind: 'provider',
    account: undefined,
    kinds: undefined,
    path: withoutOwnBase(headers.url ?? ''),
  })).map(
    (route): Route => ({
      ...route,
      handle: (exchange) => {
        if (!batches.takes(exchange)) route.handle(exchange);
      },
    }),
  );
  return { pattern, routes };
}

/** What stands before `{*path}` is the gateway's; of other patterns all of it is the provider's. */
function isMount(pattern: string): boolean {
  return pattern.includes('{account}') || pattern.includes('/proxy/');
}

function passing(pattern: string, options: ProxyOptions, errorBody: Route['errorBody'], asked: Asked): Route[] {
  return METHODS.map((method) => ({
    pattern,
    method,
    needsKey: true,
    body: 'stream',
    passesHead: true,
    errorBody,
    handle: (exchange) => runProxy(exchange, asked(exchange), options),
  }));
}
