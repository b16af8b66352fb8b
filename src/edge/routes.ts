import type { GatewayError } from '../core/errors.ts';
import type { BodyScan, Exchange } from '../core/exchange.ts';

/** What the edge knows of an endpoint: enough to refuse or to read its body, nothing of what it means. */
export interface Route {
  /** Without base path, as `/chat/completions`. One that ends in `/` takes everything behind it. */
  readonly path: string;
  readonly method: 'GET' | 'POST';
  /** False: answered without a key. */
  readonly needsKey: boolean;
  /** Made per request; sees the body as it arrives. */
  scan?(): BodyScan;
  /** The whole request is there. */
  handle(exchange: Exchange): void;
  /** The error body in the caller's dialect. */
  errorBody(error: GatewayError): Uint8Array;
}

/** Every route is served under each of them. Longest first: a prefix route takes the first match. */
export const BASE_PATHS = ['/api/llm/v1', '/api/llm', '/v1', ''] as const;

export interface PathMatch {
  /** One route per method. */
  readonly routes: readonly Route[];
  readonly path: string;
  /** What is behind a prefix route, percent-decoded. */
  readonly rest: string;
}

export class RouteTable {
  readonly #exact = new Map<string, PathMatch>();
  readonly #prefixes: { prefix: string; routes: Route[]; path: string }[] = [];

  constructor(routes: readonly Route[]) {
    const byPath = new Map<string, Route[]>();
    for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);
    for (const base of BASE_PATHS) {
      for (const [path, same] of byPath) {
        if (path.endsWith('/') && path !== '/') this.#prefixes.push({ prefix: base + path, routes: same, path });
        else this.#exact.set(base + path, { routes: same, path, rest: '' });
      }
    }
    // `/v1` and `/v1/` are the base path itself.
    const root = byPath.get('/');
    if (root) for (const base of BASE_PATHS) if (base) this.#exact.set(base, { routes: root, path: '/', rest: '' });
  }

  match(url: string): PathMatch | undefined {
    const exact = this.#exact.get(url);
    if (exact) return exact;
    for (const { prefix, routes, path } of this.#prefixes) {
      if (url.length > prefix.length && url.startsWith(prefix)) {
        const rest = decoded(url.slice(prefix.length));
        return rest === undefined ? undefined : { routes, path, rest };
      }
    }
    return undefined;
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A malformed escape names nothing: 404.
    return undefined;
  }
}
