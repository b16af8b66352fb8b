import { RpcError, UPSTREAM_ERROR } from './json-rpc.ts';

/** How much of a server a token is good for: tools that say that they change nothing, with prompts and resources, or all. */
export type Reach = 'read' | 'all';

/** What a token is good for, seen from one address. */
export interface ScopeGrant {
  /** What the token may do at this server; undefined: only what lies behind it, if anything. */
  readonly here: Reach | undefined;
  /** By server; `*` stands for all. */
  readonly servers: ReadonlyMap<string, Reach>;
  /** Address of the metadata of the resource, for challenges. */
  readonly metadataUrl: string;
}

const SCOPE = /^mcp:(\*|[A-Za-z0-9._-]{1,64}(?:\/[A-Za-z0-9._-]{1,64})?)(:read)?$/;
const MAX_SCOPES = 32;

/** `mcp:<server>` and `mcp:<server>:read`; `server` undefined: all of them. */
export function scopeOf(server: string | undefined, reach: Reach): string {
  return `mcp:${server ?? '*'}${reach === 'read' ? ':read' : ''}`;
}

/** What a client asks for at a server: all of it where it names no scope. Undefined: none of its scopes is known. */
export function askedScopes(written: string | null, server: string | undefined): readonly string[] | undefined {
  if (written === null || written.trim() === '') return [scopeOf(server, 'all')];
  const known = written.split(' ').flatMap((each) => {
    const [, name, read] = SCOPE.exec(each) ?? [];
    if (name === undefined) return [];
    return [scopeOf(name === '*' ? server : name, read === undefined ? 'all' : 'read')];
  });
  const once = [...new Set(known)];
  return once.length === 0 || once.length > MAX_SCOPES ? undefined : once;
}

/** Whether all of these lie within those that were given. */
export function isWithinScopes(asked: readonly string[], given: readonly string[]): boolean {
  return asked.every((each) => given.includes(each) || (each.endsWith(':read') && given.includes(each.slice(0, -5))));
}

export function scopeGrant(scopes: readonly string[], server: string | undefined, metadataUrl: string): ScopeGrant {
  const servers = new Map<string, Reach>();
  for (const each of scopes) {
    const [, name, read] = SCOPE.exec(each) ?? [];
    if (name !== undefined) servers.set(name, wider(servers.get(name), read === undefined ? 'all' : 'read') ?? 'read');
  }
  const all: ScopeGrant = { here: servers.get('*'), servers, metadataUrl };
  return server === undefined ? all : scopeBehind(all, server);
}

/** The same, seen from a server behind this one. */
export function scopeBehind(grant: ScopeGrant, server: string): ScopeGrant {
  const here = wider(grant.here, grant.servers.get(server));
  return here === grant.here ? grant : { ...grant, here };
}

/** A token that is not good for what is asked; its client may ask for another. https://www.rfc-editor.org/rfc/rfc6750#section-3.1 */
export class ScopeError extends RpcError {
  /** Header of the answer. */
  readonly challenge: string;

  constructor(scope: string, { metadataUrl }: ScopeGrant) {
    const message = `This token is not good for that: the scope \`${scope}\` is missing.`;
    super(UPSTREAM_ERROR, message, { code: 'insufficient_scope', scope });
    const said = message.replaceAll('`', "'");
    this.challenge = `Bearer error="insufficient_scope", scope="${scope}", resource_metadata="${metadataUrl}", error_description="${said}"`;
  }
}

/** Pairs of headers that an error asks for. */
export function headersOfError(error: unknown): readonly string[] {
  return error instanceof ScopeError ? ['www-authenticate', error.challenge] : [];
}

function wider(one: Reach | undefined, other: Reach | undefined): Reach | undefined {
  return one === 'all' || other === 'all' ? 'all' : (one ?? other);
}
