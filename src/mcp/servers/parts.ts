import { type JsonObject, stringOf } from '../../codec/json-value.ts';
import { INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';
import { scopeBehind } from '../protocol/scopes.ts';
import type { Call } from '../upstream/peer.ts';
import { type CallContext, NO_HOOKS, type Served } from './served.ts';
import { listIn } from './tool-policy.ts';

/** The caller that asks which parts there are. */
export type Asker = Pick<CallContext, 'subjects' | 'scope'>;

/** One of the servers that stand under one name. */
export interface Part {
  readonly server: Served;
  /** Absent: all of its tools. */
  readonly enabledTools?: ReadonlySet<string>;
  /** In place of its own credential. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server's part of the request's context: the credential that the manifest of the joint one gives it. */
export function contextOf(context: CallContext, { server, headers }: Part): CallContext {
  const { scope } = context;
  const own = scope ? { ...context, scope: scopeBehind(scope, server.name) } : context;
  if (!headers || Object.hasOwn(context.serverHeaders, server.name)) return own;
  return { ...own, serverHeaders: { ...context.serverHeaders, [server.name]: headers } };
}

export async function everyPage(
  part: Part,
  context: CallContext,
  method: string,
  key: string,
  max: number,
): Promise<unknown[]> {
  const all: unknown[] = [];
  let cursor: string | undefined;
  do {
    const params = cursor === undefined ? {} : { cursor };
    const page = await part.server.call(context, method, params, NO_HOOKS).result;
    const found = listIn(page, key);
    all.push(...found);
    const next = stringOf(page['nextCursor']);
    cursor = next !== cursor && found.length > 0 ? next : undefined;
  } while (cursor !== undefined && all.length < max);
  return all;
}

export async function firstOf(parts: readonly Part[], ask: (part: Part) => Call): Promise<JsonObject> {
  let failure: unknown = new RpcError(INVALID_PARAMS, 'No server here knows it.');
  for (const part of parts) {
    try {
      return await ask(part).result;
    } catch (error) {
      // Another server may know it; the caller is told what the last one said.
      failure = error;
    }
  }
  throw failure;
}
