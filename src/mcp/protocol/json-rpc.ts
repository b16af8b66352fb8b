import { isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';

/** JSON-RPC 2.0 as MCP uses it: one message at a time, params always an object. https://www.jsonrpc.org/specification */

export type Id = string | number;

export interface RpcRequest {
  readonly kind: 'request';
  readonly id: Id;
  readonly method: string;
  readonly params: JsonObject;
}

export interface RpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

export interface RpcResponse {
  readonly kind: 'response';
  /** Undefined: the other side could not read which request it was. */
  readonly id: Id | undefined;
  readonly result?: JsonObject;
  readonly error?: RpcError;
}

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;
export const METHOD_NOT_FOUND = -32_601;
export const INVALID_PARAMS = -32_602;
export const INTERNAL_ERROR = -32_603;
/** A code of ours: a server behind the gateway failed, or cannot be reached. */
export const UPSTREAM_ERROR = -32_000;
/** A code of ours: a limit of the gateway. */
export const LIMIT_ERROR = -32_003;

/** A code of 2025-11-25: the user has to open an address first. */
export const URL_ELICITATION_REQUIRED = -32_042;

/** An error of JSON-RPC, as a value: what a request is answered with. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }

  toJson(): object {
    return { code: this.code, message: this.message, ...(this.data !== undefined && { data: this.data }) };
  }
}

const ID_FAULT = '`id` must be text or a whole number, at most 2^53 - 1';

/** The message that a value is; a text says what is wrong with it. */
export function readMessage(value: unknown): RpcMessage | string {
  if (!isObject(value)) return 'a message must be one JSON object';
  if (value['jsonrpc'] !== '2.0') return '`jsonrpc` must be "2.0"';
  const { id, method, params } = value;
  if (method !== undefined) {
    if (typeof method !== 'string' || method === '') return '`method` must be text';
    if (params !== undefined && !isObject(params)) return '`params` must be an object';
    if (id === undefined) return { kind: 'notification', method, params: params ?? {} };
    if (!isId(id)) return ID_FAULT;
    return { kind: 'request', id, method, params: params ?? {} };
  }
  if (id !== null && id !== undefined && !isId(id)) return ID_FAULT;
  const known = id ?? undefined;
  const error = objectOf(value['error']);
  if (error) return { kind: 'response', id: known, error: readError(error) };
  const result = objectOf(value['result']);
  if (!result) return 'a message must hold `method`, `result` or `error`';
  return { kind: 'response', id: known, result };
}

/** Undefined where the text is no message. */
export function parseMessage(text: string): RpcMessage | undefined {
  try {
    const message = readMessage(JSON.parse(text));
    return typeof message === 'string' ? undefined : message;
  } catch {
    // What a server writes beside its messages is not for us.
    return undefined;
  }
}

function readError({ code, message, data }: JsonObject): RpcError {
  return new RpcError(typeof code === 'number' ? code : INTERNAL_ERROR, stringOf(message) ?? '', data);
}

/** An answer under another number than was asked for is no answer: beyond 2^53 they are not told apart here. */
function isId(value: unknown): value is Id {
  return typeof value === 'string' || Number.isSafeInteger(value);
}

export function requestJson(id: Id, method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

export function notificationJson(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}

export function resultJson(id: Id, result: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

/** `id`: null where it is not known which request it was. */
export function errorJson(id: Id | null, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: error.toJson() });
}
