import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError } from '../core/exchange.ts';
import type { Usage } from '../inference/usage.ts';
import type { Caller } from '../policy/caller.ts';
import type { ProviderAccount, Target } from '../providers/provider.ts';
import type { ModelRoutes } from '../routing/model-routes.ts';
import type { SummedRequests } from '../usage/token-rates.ts';
import { queryParameter } from './proxy-path.ts';

/** What several requests used together. */
export interface Billed extends SummedRequests {
  readonly target: Target | undefined;
  readonly usage: Usage;
}

/** Where a request asks to be passed on to. */
export type ProxyAsked =
  /** `/proxy-api/{account}/{endpoint}/…` */
  | { readonly kind: 'endpoint'; readonly account: string; readonly endpoint: string; readonly path: string }
  /**
   * A path of a provider's own. `account`: undefined where a header or the query names it, or where it is the only one of
   * its `kinds`.
   */
  | {
      readonly kind: 'provider';
      readonly account: string | undefined;
      readonly kinds: ReadonlySet<string> | undefined;
      readonly path: string;
      /** What its answer stands for, where somebody read that elsewhere: it is recorded and charged with it. */
      readonly billed?: Billed | undefined;
    };

/** A request before its body is read, and who sends it. */
export interface Asking {
  readonly asked: ProxyAsked;
  readonly headers: HeadersOfInterest;
  readonly routes: ModelRoutes;
  readonly caller: Caller;
}

/** The account whose provider is asked, found before any byte of the body is read. */
export function askedAccount(asking: Asking): OrError<ProviderAccount> {
  const { asked, routes, caller } = asking;
  const named = asked.account ?? namedAccount(asking, asked.kind === 'provider' ? asked.kinds : undefined);
  if (named instanceof GatewayError) return named;
  const account = routes.account(named);
  if (account === undefined) {
    return new GatewayError('account_not_found', { detail: `\`${named.slice(0, 64)}\` is not known.` });
  }
  if (asked.kind === 'endpoint') {
    if (account.endpoints?.has(asked.endpoint)) return account;
    const detail =
      account.endpoints === undefined
        ? `\`${named}\` has models; its provider is asked with the header x-tfy-provider-name.`
        : `\`${asked.endpoint.slice(0, 128)}\` is no endpoint of \`${named}\`.`;
    return new GatewayError('account_not_found', { detail });
  }
  if (account.endpoints !== undefined) {
    const detail = `\`${named}\` has endpoints of its own: ask /proxy-api/${named}/….`;
    return new GatewayError('account_not_found', { detail });
  }
  // What exactly is asked is judged with the model that it names.
  return maySome(account, caller) ? account : forbidden(caller, `${account.name}/*`);
}

/** Where an account lists no models, one may be allowed that only the body names. */
function maySome({ listed }: ProviderAccount, caller: Caller): boolean {
  return listed.length === 0 || listed.some(({ id }) => caller.allows(id));
}

function namedAccount(
  { asked, headers, routes, caller }: Asking,
  kinds: ReadonlySet<string> | undefined,
): OrError<string> {
  const account = headers.tfy?.['x-tfy-provider-name'] ?? queryParameter(headers.query, 'tfyProviderName');
  if (account !== undefined) return account;
  const model = modelByHeader(headers);
  if (model === undefined && kinds !== undefined) {
    const able = routes.accountsOfTypes(kinds);
    const inPath = able.filter((each) => each.name === accountInPath(asked.path));
    const [one, ...others] = inPath.length > 0 ? inPath : able.filter((each) => maySome(each, caller));
    if (one !== undefined && others.length === 0) return one.name;
  }
  if (model === undefined) {
    const detail = 'The header x-tfy-provider-name has to name the account whose provider is asked.';
    return new GatewayError('invalid_header', { param: 'x-tfy-provider-name', detail });
  }
  const route = routes.resolve(model);
  if (route instanceof GatewayError) return routes.notFound(model, caller.allows);
  const accounts = new Set(route.targets.map((target) => target.account));
  const [only] = accounts;
  if (accounts.size === 1 && only !== undefined) return only;
  const detail = `\`${model}\` is served by several accounts: x-tfy-provider-name has to name one.`;
  return new GatewayError('invalid_header', { param: 'x-tfy-model-name', detail });
}

/** The model that header or query name beside the path. */
export function modelByHeader({ tfy, query }: HeadersOfInterest): string | undefined {
  return tfy?.['x-tfy-model-name'] ?? queryParameter(query, 'tfyModelName');
}

/** `account/model` in the place of a model's id: `/model/bedrock-eu%2Fanthropic.claude-…/converse`. */
function accountInPath(path: string): string | undefined {
  return /^\/model\/([A-Za-z0-9._-]+)%2F/i.exec(path)?.[1];
}

export function forbidden({ principal }: Caller, model: string): GatewayError {
  const detail = `\`${principal.subject}\` may not use \`${model}\`.`;
  return new GatewayError('model_forbidden', { param: 'model', detail, target: model });
}
