import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { INVALID_PARAMS, RpcError, type RpcNotification, type RpcRequest } from './json-rpc.ts';
import { ScopeError } from './scopes.ts';

/**
 * The two eras of MCP. Modern: every request says its version and capabilities
 * (https://modelcontextprotocol.io/specification/2026-07-28). Legacy: a session begins with `initialize`
 * (https://modelcontextprotocol.io/specification/2025-11-25).
 */
export type Era = 'modern' | 'legacy';

export const MODERN_VERSION = '2026-07-28';
export const MODERN_VERSIONS: readonly string[] = [MODERN_VERSION];
export const LEGACY_VERSION = '2025-11-25';
/** Newest first. */
export const LEGACY_VERSIONS: readonly string[] = [LEGACY_VERSION, '2025-06-18', '2025-03-26', '2024-11-05'];
export const ALL_VERSIONS: readonly string[] = [...MODERN_VERSIONS, ...LEGACY_VERSIONS];

export const HEADER_MISMATCH = -32_020;
export const MISSING_CAPABILITY = -32_021;
export const UNSUPPORTED_VERSION = -32_022;

const PREFIX = 'io.modelcontextprotocol/';
export const META = {
  version: `${PREFIX}protocolVersion`,
  clientInfo: `${PREFIX}clientInfo`,
  capabilities: `${PREFIX}clientCapabilities`,
  serverInfo: `${PREFIX}serverInfo`,
  logLevel: `${PREFIX}logLevel`,
  subscription: `${PREFIX}subscriptionId`,
} as const;

/** Requests that may be answered with questions (MRTR), and the parameter that says what they are about. */
export const NAMED: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** Requests whose header `Mcp-Name` repeats what they are about. */
export const REPEATED: Readonly<Record<string, 'name' | 'uri' | 'taskId'>> = {
  ...NAMED,
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Their results say how long and by whom they may be kept. */
export const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** The `_meta` of a request of the modern era. */
export interface ModernMeta {
  readonly version: string;
  readonly clientInfo: JsonObject | undefined;
  readonly capabilities: JsonObject;
  readonly logLevel: string | undefined;
}

export function metaOf(params: JsonObject): JsonObject {
  return objectOf(params['_meta']) ?? {};
}

/** What of `_meta` is the client's own business and goes on. */
export function passingMeta(params: JsonObject): JsonObject {
  const passing: Record<string, unknown> = {};
  const meta = metaOf(params);
  for (const key in meta) if (!key.startsWith(PREFIX) && key !== 'progressToken') passing[key] = meta[key];
  return passing;
}

/** The headers of a POST that the modern era asks for; undefined where absent. */
export interface ModernHeaders {
  readonly version: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
}

/** Whether a message is of the modern era: its header or its body says so. */
export function isModern(message: RpcRequest | RpcNotification, headers: ModernHeaders): boolean {
  if (metaOf(message.params)[META.version] !== undefined) return true;
  return headers.version !== undefined && headers.version > LEGACY_VERSION && /^\d{4}-\d\d-\d\d$/.test(headers.version);
}

/** Checks what stands twice: a proxy may have judged the header, and the server reads the body. */
export function readModern(message: RpcRequest | RpcNotification, headers: ModernHeaders): ModernMeta | RpcError {
  const meta = metaOf(message.params);
  const version = stringOf(meta[META.version]);
  if (version === undefined) return new RpcError(INVALID_PARAMS, `\`_meta\` must hold "${META.version}".`);
  if (headers.version === undefined) return mismatch('MCP-Protocol-Version is missing');
  if (headers.version !== version) {
    return mismatch(`MCP-Protocol-Version '${headers.version}' does not match the body's '${version}'`);
  }
  if (!MODERN_VERSIONS.includes(version)) {
    const data = { supported: ALL_VERSIONS, requested: version };
    return new RpcError(UNSUPPORTED_VERSION, 'Unsupported protocol version', data);
  }
  if (message.kind === 'notification') {
    return { version, clientInfo: undefined, capabilities: {}, logLevel: undefined };
  }
  if (headers.method === undefined) return mismatch('Mcp-Method is missing');
  if (headers.method !== message.method) {
    return mismatch(`Mcp-Method '${headers.method}' does not match the body's '${message.method}'`);
  }
  const key = REPEATED[message.method];
  if (key !== undefined) {
    const inBody = stringOf(message.params[key]);
    if (headers.name === undefined) return mismatch('Mcp-Name is missing');
    const inHeader = decodeHeader(headers.name);
    if (inHeader === undefined) return mismatch('Mcp-Name holds characters that no header may');
    if (inHeader !== inBody) return mismatch(`Mcp-Name '${inHeader}' does not match the body's '${String(inBody)}'`);
  }
  const capabilities = objectOf(meta[META.capabilities]);
  if (!capabilities) return new RpcError(INVALID_PARAMS, `\`_meta\` must hold "${META.capabilities}".`);
  return {
    version,
    clientInfo: objectOf(meta[META.clientInfo]),
    capabilities,
    logLevel: stringOf(meta[META.logLevel]),
  };
}

export function mismatch(detail: string): RpcError {
  return new RpcError(HEADER_MISMATCH, `Header mismatch: ${detail}`);
}

/** HTTP statuses that the modern era gives to errors; others are 200. */
export function statusOf(error: RpcError): number {
  if (error instanceof ScopeError) return 403;
  switch (error.code) {
    case -32_601:
      return 404;
    case HEADER_MISMATCH:
    case MISSING_CAPABILITY:
    case UNSUPPORTED_VERSION:
    case -32_700:
    case -32_600:
      return 400;
    default:
      return 200;
  }
}

const BASE64 = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** A value as a header carries it: plain, or in base64 where a header could not. */
export function encodeHeader(value: string): string {
  const plain =
    /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) &&
    !(value.startsWith('=?base64?') && value.endsWith('?='));
  return plain || value === '' ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}

/** Undefined: it holds what no header may. */
export function decodeHeader(value: string): string | undefined {
  const encoded = BASE64.exec(value)?.[1];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString();
  const malformed = value.startsWith('=?base64?') && value.endsWith('?=');
  return !malformed && /^[\t\x20-\x7e]*$/.test(value) ? value : undefined;
}
