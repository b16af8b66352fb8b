import { isObject, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { isLoopback } from '../core/host-name.ts';
import type { Caller } from '../policy/caller.ts';
import { clientSettings } from '../policy/client-settings.ts';
import { requestMetadata } from '../policy/metadata.ts';
import type { McpRequest } from '../threads/mcp-messages.ts';
import { metadataUrl, publicBase, readAccounts } from './oauth-routes.ts';

/** Headers of requests of MCP that the edge keeps. `mcp-param-…` it keeps by itself. */
export const MCP_HEADERS: readonly string[] = [
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
  'x-sluice-mcp-accounts',
];

/** What a request of a client says, but for what the gate adds to it. */
export function readMcpRequest(
  exchange: Exchange,
  server: string | undefined,
  caller: Caller,
  settings: ServerSettings,
): OrError<Omit<McpRequest, 'id' | 'holds' | 'guarded' | 'tellsCalls'>> {
  const { headers, method } = exchange;
  const { mcp } = settings;
  const forbidden = originFault(exchange, settings);
  if (forbidden) return forbidden;
  if (exchange.body.length > mcp.maxMessageBytes) {
    return new GatewayError('body_too_large', { setting: `mcp.max_message_bytes: ${mcp.maxMessageBytes}` });
  }
  const client = clientSettings(headers);
  if (client instanceof GatewayError) return client;
  const serverHeaders = readServerHeaders(headers.tfy?.['x-tfy-mcp-headers']);
  if (serverHeaders instanceof GatewayError) return serverHeaders;
  const kept = headers.forwardable ?? {};
  const accounts = readAccounts(kept['x-sluice-mcp-accounts']);
  if (typeof accounts === 'string') {
    const param = 'x-sluice-mcp-accounts';
    return new GatewayError('invalid_header', { param, detail: `\`${param}\`: ${accounts}` });
  }
  const { scopes } = caller.principal;
  return {
    method: method === 'DELETE' || method === 'POST' ? method : 'GET',
    server,
    body: exchange.body.toString(),
    headers: {
      accept: headers.accept,
      session: kept['mcp-session-id'],
      version: kept['mcp-protocol-version'],
      method: kept['mcp-method'],
      name: kept['mcp-name'],
      lastEventId: kept['last-event-id'],
      parameters: parametersIn(kept),
    },
    caller: {
      subject: caller.principal.subject,
      subjects: [...caller.subjects],
      metadata: requestMetadata(client.metadata, caller),
      key: undefined,
      base: publicBase(settings, headers),
      ...(accounts && { accounts }),
      ...(scopes && { scope: { names: scopes, metadataUrl: metadataUrl(settings, headers) ?? '' } }),
    },
    serverHeaders,
  };
}

/** DNS rebinding: a page of anybody's could otherwise speak to a gateway on this machine. */
function originFault({ headers: { origin } }: Exchange, { cors, listen }: ServerSettings): GatewayError | undefined {
  const allowed = cors?.allowedOrigins ?? [];
  const isOwn = isLoopback(listen.host) && isLoopback(hostOf(origin));
  if (origin === undefined || isOwn || allowed.includes('*') || allowed.includes(origin)) return undefined;
  return new GatewayError('origin_forbidden', { detail: `The origin is \`${origin.slice(0, 100)}\`.` });
}

const OWN_VERSION = '2026-07-28';

/** Body and headers of a request that the gateway itself makes. */
export function ownMessage(method: string, params: JsonObject): Pick<McpRequest, 'method' | 'body' | 'headers'> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': OWN_VERSION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'sluice-agent', version: '1' },
  };
  const { name } = params;
  return {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    headers: {
      accept: 'application/json',
      session: undefined,
      version: OWN_VERSION,
      method,
      name: typeof name === 'string' ? `=?base64?${Buffer.from(name).toString('base64')}?=` : undefined,
      lastEventId: undefined,
      parameters: {},
    },
  };
}

/** Why a request of the gateway's own has no result. */
export class McpFailure {
  readonly message: string;
  /** Where the gateway says so: a word of its errors. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    this.message = message;
    this.code = code;
  }
}

export function resultIn(body: string): JsonObject | McpFailure {
  const { result, error } = parseObject(body) ?? {};
  if (isObject(result)) return result;
  if (!isObject(error) || typeof error['message'] !== 'string') return new McpFailure('The server gave no answer.');
  return new McpFailure(error['message'], stringOf(objectOf(error['data'])?.['code']));
}

/** The tool that a body calls, if it calls one. */
export function toolIn(body: string): string | undefined {
  // The name may be written with escapes: `tools\/call`.
  if (!body.includes('tools/call') && !body.includes('\\')) return undefined;
  const { method, params } = parseObject(body) ?? {};
  const name = method === 'tools/call' && isObject(params) ? params['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

const TOLD_OF_TASKS = ['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel'];

/**
 * The tool that a body asks about a task of; undefined: it asks about none. The id of a task says so (mcp/servers/task-ids.ts);
 * it is not proved here, since one that was forged has no result.
 */
export function taskIn(body: string): { readonly server: string; readonly tool: string } | undefined {
  if (!body.includes('tasks/') && !body.includes('\\')) return undefined;
  const { method, params } = parseObject(body) ?? {};
  const id = objectOf(params)?.['taskId'];
  if (typeof id !== 'string' || typeof method !== 'string' || !TOLD_OF_TASKS.includes(method)) return undefined;
  const told = parseObject(Buffer.from(id.slice(0, id.lastIndexOf('.')), 'base64url').toString());
  const [server, tool] = [stringOf(told?.['m']), stringOf(told?.['t'])];
  return server === undefined || tool === undefined ? undefined : { server, tool };
}

/** Clients tell by it which of their requests has failed. */
export function withRpcId(error: GatewayError, body: string): GatewayError {
  const id = parseObject(body)?.['id'];
  if (typeof id !== 'string' && typeof id !== 'number') return error;
  return new GatewayError(error.code, { ...error.context, rpcId: id });
}

/** An error of JSON-RPC; where no message was understood, for no request in particular. */
export function rpcErrorBody(error: GatewayError): Uint8Array {
  const data = { code: error.code, type: error.rule.type };
  return Buffer.from(
    JSON.stringify({
      jsonrpc: '2.0',
      id: error.context.rpcId ?? null,
      error: { code: -32_000, message: error.message, data },
    }),
  );
}

function hostOf(origin: string | undefined): string {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).hostname : '';
}

const PARAMETER = 'mcp-param-';

function parametersIn(kept: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let found: Record<string, string> | undefined;
  for (const name in kept) {
    if (!name.startsWith(PARAMETER)) continue;
    found ??= {};
    found[name.slice(PARAMETER.length)] = kept[name]!;
  }
  return found ?? NO_PARAMETERS;
}

const NO_PARAMETERS: Readonly<Record<string, string>> = {};

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,16384}$/;

/** `{"<server>": {"Authorization": "Bearer …"}}`. What is wrong with it is told without its values. */
function readServerHeaders(text: string | undefined): OrError<McpRequest['serverHeaders']> {
  if (text === undefined) return {};
  const invalid = (detail: string): GatewayError =>
    new GatewayError('invalid_header', { param: 'x-tfy-mcp-headers', detail: `\`x-tfy-mcp-headers\`: ${detail}` });
  const written = parseObject(text);
  if (!written) return invalid('It must be a JSON object of objects.');
  const all: Record<string, Record<string, string>> = Object.create(null);
  for (const [server, headers] of Object.entries(written)) {
    if (!isObject(headers)) return invalid('It must be a JSON object of objects.');
    const own: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (!HEADER_NAME.test(name) || typeof value !== 'string' || !HEADER_VALUE.test(value)) {
        return invalid('It holds what cannot be a header.');
      }
      own[name.toLowerCase()] = value;
    }
    all[server] = own;
  }
  return { ...all };
}
