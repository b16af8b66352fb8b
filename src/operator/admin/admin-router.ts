import type { AdminRoute } from './admin-route.ts';

export type AdminMatch =
  | { route: AdminRoute; parameters: Readonly<Record<string, string>> }
  /** The path is there, for other methods. */
  | { allow: string };

interface Compiled {
  readonly route: AdminRoute;
  readonly parts: readonly string[];
}

/** Paths of the admin API. A few dozen, asked rarely: one after the other. What is written out stands before `:name`. */
export class AdminRouter {
  readonly #routes: readonly Compiled[];

  constructor(routes: readonly AdminRoute[]) {
    const names = (parts: readonly string[]) => parts.filter((part) => part.startsWith(':')).length;
    this.#routes = routes
      .map((route) => ({ route, parts: route.path.split('/') }))
      .sort((one, other) => names(one.parts) - names(other.parts));
  }

  /** Undefined: there is no such path. HEAD is answered as GET is, without the body. */
  match(method: string, path: string): AdminMatch | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const parts = path.split('/', 16);
    const allowed = new Set<string>();
    for (const compiled of this.#routes) {
      const parameters = parametersOf(compiled.parts, parts);
      if (parameters === undefined) continue;
      if (compiled.route.method === wanted) return { route: compiled.route, parameters };
      allowed.add(compiled.route.method);
      if (compiled.route.method === 'GET') allowed.add('HEAD');
    }
    return allowed.size === 0 ? undefined : { allow: [...allowed].join(', ') };
  }
}

function parametersOf(wanted: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (wanted.length !== parts.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const part = parts[index] ?? '';
    if (!want.startsWith(':')) {
      if (part !== want) return undefined;
      continue;
    }
    const decoded = decodedSegment(part);
    if (decoded === undefined) return undefined;
    parameters[want.slice(1)] = decoded;
  }
  return parameters;
}

function decodedSegment(part: string): string | undefined {
  try {
    const text = decodeURIComponent(part);
    // Nothing is named so; PostgreSQL takes no U+0000.
    return text === '' || /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    // Not percent-encoded text: no path of ours.
    return undefined;
  }
}
