import { GatewayError } from '../core/errors.ts';
import type { BodyScan, Exchange, HeadersOfInterest, Method, PathParams } from '../core/exchange.ts';
import { nearNames } from '../core/near-names.ts';

/** What the edge knows of an endpoint: enough to refuse or to read its body, nothing of what it means. */
export interface Route {
  /**
   * Without base path: `/chat/completions`, `/responses/{id}/cancel`. `{name}` is one segment; `{+name}` at the end is all
   * that is left, slashes included (RFC 6570 §3.2.3). `{*name}` is the same as it was sent, with the slash before it; it
   * may be nothing.
   */
  readonly pattern: string;
  /** GET answers HEAD as well. */
  readonly method: Method;
  /** False: answered without a key. */
  readonly needsKey: boolean;
  /**
   * `none`: a request that brings a body is refused. `whole`: `handle` is called when all of it is there. `stream`: it is
   * called with the head, and sets the receiver of `exchange.arriving`; the body may be as long as a file.
   */
  readonly body: 'none' | 'whole' | 'stream';
  /** Where bodies of some media types are not streamed: the route that they take instead. */
  readonly collected?: { takes(contentType: string | undefined): boolean; readonly route: Route };
  /** `handle` reads `headers.query`. */
  readonly readsQuery?: true;
  /** `handle` reads `headers.lines` as well: the head is passed on. */
  readonly passesHead?: true;
  /** A request that names an account whose provider it is for is not for this route. */
  readonly yieldsToProvider?: true;
  /** The largest body that somebody without a key may send; absent: `limits.max_body_bytes` alone. */
  readonly maxBodyBytes?: number;
  /** `www-authenticate` of a 401, in the place of `Bearer`. */
  challenge?(head: HeadersOfInterest): string | undefined;
  /** Made per request; sees the body as it arrives. */
  scan?(request: Pick<Exchange, 'path' | 'params' | 'headers'>): BodyScan;
  /** The whole request is there; of a streaming body the head. */
  handle(exchange: Exchange): void;
  /** The error body in the caller's dialect. */
  errorBody(error: GatewayError, exchangeId?: string): Uint8Array;
}

/** Routes for requests that name a provider's account, and whose path is not the gateway's own. */
export interface PassingRoutes {
  readonly pattern: string;
  /** One per method. */
  readonly routes: readonly Route[];
}

/** A path that is promised and not served yet: it is refused by name instead of as unknown. */
export interface PlannedPath {
  readonly pattern: string;
  /** Under the root alone, not under the other base paths. */
  readonly atRootOnly?: true;
}

/** Every route is served under each of these, the longest first. */
const BASE_PATHS = ['/api/llm/v1', '/api/llm', '/v1', ''] as const;

/** `/chat/completions` of `/v1/chat/completions`. */
export function withoutBasePath(path: string): string {
  const base = BASE_PATHS.find((each) => path.startsWith(`${each}/`)) ?? '';
  return path.slice(base.length);
}

export interface PathMatch {
  /** One route per method; none: the path is planned. */
  readonly routes: readonly Route[];
  /** The pattern. */
  readonly path: string;
  readonly params: PathParams;
}

interface Pattern {
  readonly path: string;
  readonly segments: readonly Segment[];
  /** How the last parameter takes the rest of the path: not at all, decoded, or as it was sent. */
  readonly open: 'no' | 'decoded' | 'as-sent';
  readonly routes: readonly Route[];
  readonly atRootOnly: boolean;
}

/** A literal, or the name of a parameter. */
type Segment = { readonly literal: string } | { readonly name: string };

/** A longer path is not compared with others: nobody mistypes one, and comparing costs. */
const MAX_NEAR_CHARACTERS = 64;
/** Milliseconds between two comparisons: one takes up to a millisecond, and strangers may ask for any path. */
const COMPARE_EVERY_MS = 100;
const PATH_NOT_FOUND = new GatewayError('path_not_found');
const NO_PARAMS: PathParams = {};
/** The key of the patterns that begin with a parameter. */
const ANY = '{}';

/** Path → routes. A path without parameters, as nearly all are, is one lookup. */
export class RouteTable {
  readonly #exact = new Map<string, PathMatch>();
  /** Patterns with parameters by their first segment, those with more literals first. */
  readonly #patterns = new Map<string, Pattern[]>();
  /** Served paths without parameters, without base path. */
  readonly #plain: string[] = [];

  readonly #passing: PathMatch | undefined;
  /** performance.now() of the last comparison of an unknown path. */
  #comparedAt = Number.NEGATIVE_INFINITY;

  constructor(routes: readonly Route[], planned: readonly PlannedPath[] = [], passing?: PassingRoutes) {
    this.#passing = passing && { routes: passing.routes, path: passing.pattern, params: NO_PARAMS };
    const byPattern = new Map<string, Route[]>();
    for (const route of routes) byPattern.set(route.pattern, [...(byPattern.get(route.pattern) ?? []), route]);
    for (const [pattern, same] of byPattern) this.#add(pattern, same, false);
    for (const { pattern, atRootOnly = false } of planned) {
      if (!byPattern.has(pattern)) this.#add(pattern, [], atRootOnly);
    }
    for (const patterns of this.#patterns.values()) patterns.sort((one, other) => literals(other) - literals(one));
    // `/v1` and `/v1/` are the base path itself.
    const root = this.#exact.get('/');
    if (root) for (const base of BASE_PATHS) if (base) this.#exact.set(base, root);
  }

  match(url: string): PathMatch | undefined {
    return this.#exact.get(url) ?? this.#matchPattern(url);
  }

  /** The refusal of a path that matches nothing. It names near paths, for at most ten requests a second. */
  unknown(url: string, now = performance.now()): GatewayError {
    if (url.length > MAX_NEAR_CHARACTERS || now - this.#comparedAt < COMPARE_EVERY_MS) return PATH_NOT_FOUND;
    this.#comparedAt = now;
    const near = nearNames(withoutBasePath(url), this.#plain, 2);
    if (near.length === 0) return PATH_NOT_FOUND;
    return new GatewayError('path_not_found', {
      detail: `Did you mean ${near.map((path) => `\`${path}\``).join(' or ')}?`,
    });
  }

  /**
   * The routes that pass a request on to a provider; undefined: the route that was found is the gateway's own. Methods that
   * a path of ours does not have are the provider's (`DELETE /models/{id}`).
   */
  passing(found: PathMatch | undefined, method: string): PathMatch | undefined {
    const own = found && routeFor(found.routes, method);
    return own !== undefined && !own.yieldsToProvider ? undefined : this.#passing;
  }

  #add(path: string, routes: readonly Route[], atRootOnly: boolean): void {
    if (!path.includes('{')) {
      const match = { routes, path, params: NO_PARAMS };
      if (routes.length > 0) this.#plain.push(path);
      for (const base of atRootOnly ? [''] : BASE_PATHS) this.#exact.set(base + path, match);
      return;
    }
    const written = path.slice(1).split('/');
    const [first = ''] = written.map((part) => (part.startsWith('{') ? ANY : part));
    const pattern: Pattern = { path, segments: written.map(segmentOf), open: openness(path), routes, atRootOnly };
    this.#patterns.set(first, [...(this.#patterns.get(first) ?? []), pattern]);
  }

  #matchPattern(url: string): PathMatch | undefined {
    for (const base of BASE_PATHS) {
      if (!url.startsWith(base) || url[base.length] !== '/') continue;
      const segments = url.slice(base.length + 1).split('/');
      for (const pattern of [...(this.#patterns.get(segments[0]!) ?? []), ...(this.#patterns.get(ANY) ?? [])]) {
        if (pattern.atRootOnly && base !== '') continue;
        const params = paramsOf(pattern, segments);
        if (params) return { routes: pattern.routes, path: pattern.path, params };
      }
    }
    return undefined;
  }
}

/** RFC 9110 §9.3.2: HEAD is GET without the body of its answer. */
export function routeFor(routes: readonly Route[], method: string): Route | undefined {
  const wanted = method === 'HEAD' ? 'GET' : method;
  for (const route of routes) if (route.method === wanted) return route;
  return undefined;
}

function openness(path: string): Pattern['open'] {
  if (path.includes('{*')) return 'as-sent';
  return path.includes('{+') ? 'decoded' : 'no';
}

function segmentOf(written: string): Segment {
  return written.startsWith('{') ? { name: written.replace(/^\{[+*]?|\}$/g, '') } : { literal: written };
}

function literals({ segments }: Pattern): number {
  return segments.filter((segment) => 'literal' in segment).length;
}

/** Undefined: the path is another one. A parameter is never empty, and a malformed escape names nothing. */
function paramsOf({ segments, open }: Pattern, found: readonly string[]): PathParams | undefined {
  const least = open === 'as-sent' ? segments.length - 1 : segments.length;
  if (open === 'no' ? found.length !== least : found.length < least) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if ('literal' in segment) {
      if (found[index] !== segment.literal) return undefined;
      continue;
    }
    const isRest = open !== 'no' && index === segments.length - 1;
    if (isRest && open === 'as-sent') {
      const rest = found.slice(index);
      params[segment.name] = rest.length === 0 ? '' : `/${rest.join('/')}`;
      continue;
    }
    const value = decoded(isRest ? found.slice(index).join('/') : found[index]!);
    if (!value) return undefined;
    params[segment.name] = value;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A malformed escape names nothing: 404.
    return undefined;
  }
}
