import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

/** The whole request; the scan checked strings and brackets only, so finer faults show here. `text`: of the body. */
export function parsedRequest(body: Buffer, text = body.toString('utf8')): OrError<JsonObject> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new GatewayError('invalid_json');
  }
  return isObject(value) ? value : new GatewayError('invalid_json', { detail: 'It is not an object.' });
}

/** What no reader has a name for, by the client's own key. */
export function others(body: JsonObject, read: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([key, value]) => !read.has(key) && value !== null));
}
