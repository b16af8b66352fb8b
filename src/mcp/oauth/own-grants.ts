import { z } from 'zod';
import { parseObject } from '../../codec/json-value.ts';
import type { McpServer } from '../../config/mcp/mcp-servers.ts';
import type { McpConnection } from '../../store/mcp-connections.ts';
import type { McpPageAnswer, McpPageRequest } from '../../threads/mcp-messages.ts';
import type { ServerRegistry } from '../servers/registry.ts';
import { json, NO_STORE } from './authorization-server.ts';
import { asOAuthServer } from './connect-flow.ts';
import type { Connections } from './connections.ts';
import { accountIn, connectUrl } from './places.ts';
import type { McpRows } from './rows.ts';

export interface OwnGrantsOptions {
  readonly registry: ServerRegistry;
  readonly connections: Connections;
  readonly rows: McpRows;
}

const valuesSchema = z.strictObject({
  values: z.record(z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/), z.string().regex(/^[\x20-\x7e]{1,8192}$/)),
});

/** What a caller connected, and what is missing; brings values, and takes back. Rejects with RowsAway. */
export async function connectionsOf(
  { connections, registry }: OwnGrantsOptions,
  request: McpPageRequest,
): Promise<McpPageAnswer> {
  const { signedIn, rest: server, base, method } = request;
  if (signedIn === undefined || typeof signedIn === 'string')
    return refusal(401, 'invalid_api_key', 'No key was given.');
  const { subject } = signedIn;
  const subjects = new Set(signedIn.subjects);
  if (server === '') {
    const kept = await connections.list({ subject });
    const wanting = registry.manifests({ subjects }).filter((each) => needsUser(each) !== undefined);
    const missing = wanting
      .filter(({ name }) => !kept.some((each) => each.server === name))
      .map((each) => ({ server: each.name, status: 'missing', ...howToConnect(each, base) }));
    return json(200, { data: [...kept.map(shownConnection), ...missing] });
  }
  const account = accountIn(request.query);
  if (account === undefined) return refusal(400, 'invalid_parameter', '`account` may have letters, digits and . _ -.');
  if (method === 'DELETE') {
    const count = await connections.delete({ subject, server, account });
    return count > 0
      ? { status: 204, headers: NO_STORE, body: '' }
      : refusal(404, 'not_found', 'There is no such connection.');
  }
  const manifest = registry.manifests({ subjects }).find(({ name }) => name === server);
  if (!manifest || needsUser(manifest) !== 'values') {
    return refusal(404, 'not_found', `There is no MCP server \`${server.slice(0, 128)}\` that takes values of yours.`);
  }
  const read = valuesSchema.safeParse(parseObject(request.body));
  if (!read.success) {
    return refusal(400, 'invalid_parameter', 'The body is `{"values": {"NAME": "text of one line"}}`.');
  }
  await connections.putValues({ subject, server, account }, read.data.values);
  return { status: 204, headers: NO_STORE, body: '' };
}

/** Clients that a caller signed in. Rejects with RowsAway. */
export async function signInsOf(
  { rows }: OwnGrantsOptions,
  { signedIn, rest: id, method }: McpPageRequest,
): Promise<McpPageAnswer> {
  if (signedIn === undefined || typeof signedIn === 'string')
    return refusal(401, 'invalid_api_key', 'No key was given.');
  if (method === 'DELETE') {
    const was = await rows.deleteSignIn(id, signedIn.subject);
    return was ? { status: 204, headers: NO_STORE, body: '' } : refusal(404, 'not_found', 'There is no such sign-in.');
  }
  return json(200, { data: (await rows.signIns(signedIn.subject)).map(shownSignIn) });
}

/** What a user has to bring: consent, or values. Undefined: nothing. */
function needsUser(server: McpServer): 'consent' | 'values' | undefined {
  if (asOAuthServer(server)) return 'consent';
  if (server.kind === 'stdio') return server.perUser ? 'values' : undefined;
  if (server.kind === 'virtual') return undefined;
  return server.auth.type === 'header' && server.auth.perUser ? 'values' : undefined;
}

function howToConnect(server: McpServer, base: string): object {
  return needsUser(server) === 'consent'
    ? { kind: 'oauth', connect_url: connectUrl(base, server.name) }
    : { kind: 'values' };
}

export function shownConnection(connection: McpConnection): object {
  const { id, server, account, kind, issuer, scopes, expiresAt, createdAt, updatedAt } = connection;
  return {
    id,
    server,
    account,
    kind,
    status: 'connected',
    issuer: issuer ?? null,
    scopes: scopes === '' ? [] : scopes.split(' '),
    token_expires_at: expiresAt === undefined ? null : new Date(expiresAt),
    created_at: new Date(createdAt),
    updated_at: new Date(updatedAt),
  };
}

export function shownSignIn(signIn: Awaited<ReturnType<McpRows['signIns']>>[number]): object {
  const { id, client, resource, createdAt, usedAt, expiresAt } = signIn;
  return {
    id,
    client,
    resource,
    created_at: new Date(createdAt),
    used_at: new Date(usedAt),
    expires_at: new Date(expiresAt),
  };
}

export function refusal(status: number, code: string, message: string): McpPageAnswer {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  return json(status, { error: { message, type, code, param: null } });
}
