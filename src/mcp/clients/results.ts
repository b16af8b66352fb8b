import type { JsonObject } from '../../codec/json-value.ts';
import { objectOf } from '../../codec/json-value.ts';
import { CACHEABLE, META } from '../protocol/eras.ts';
import { METHOD_NOT_FOUND, RpcError } from '../protocol/json-rpc.ts';

/** A result as a client of the modern era must get it, whatever the server speaks. */
export function modernResult(method: string, result: JsonObject, serverInfo: JsonObject | undefined): JsonObject {
  const meta = objectOf(result['_meta']);
  const told = serverInfo && Object.keys(serverInfo).length > 0 ? { [META.serverInfo]: serverInfo } : {};
  const { resultType = 'complete', ...rest } = result;
  const whole: Record<string, unknown> = { resultType, ...rest, _meta: { ...told, ...meta } };
  if (resultType !== 'complete' || !CACHEABLE.has(method)) return whole;
  const { ttlMs } = result;
  whole['ttlMs'] = typeof ttlMs === 'number' && ttlMs >= 0 ? ttlMs : 0;
  // The list depends on the caller, whatever the server says of its own.
  whole['cacheScope'] = 'private';
  return whole;
}

/** A result as a client of the legacy era knows it. */
export function legacyResult(result: JsonObject): JsonObject {
  const { resultType: _resultType, ttlMs: _ttlMs, cacheScope: _cacheScope, ...rest } = result;
  return rest;
}

const CAPABILITY_OF: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};

/** Undefined: the client said that it can answer this. */
export function unanswerable(method: string, capabilities: JsonObject): RpcError | undefined {
  const capability = CAPABILITY_OF[method];
  if (capability !== undefined && capabilities[capability] !== undefined) return undefined;
  return new RpcError(METHOD_NOT_FOUND, `The client cannot answer \`${method}\`.`);
}
