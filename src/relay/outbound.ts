import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';
import { asksUsage } from './asks-usage.ts';

export interface Outbound {
  readonly path: string;
  /** The target's, and what this request needs beyond. */
  readonly headers: readonly string[];
  readonly body: Buffer | Buffer[];
  wholeBody(): Buffer;
}

/** The client's request in the provider's words: spliced where they speak the same, else translated. */
export function outbound(
  exchange: Exchange,
  dialect: Dialect,
  peeked: PeekedRequest,
  target: Target,
): OrError<Outbound> {
  const { wire } = target;
  const path = target.basePath + wire.path(target, peeked.stream);
  if (wire.name === dialect.name) {
    const body = dialect.splice(exchange.body, peeked, target.modelId, asksUsage(peeked, target));
    return { path, headers: target.headers, body, wholeBody: () => (Array.isArray(body) ? Buffer.concat(body) : body) };
  }
  if (!wire.translation) return new GatewayError('unsupported_operation', { target: target.id });
  const request = dialect.toInference(exchange.body, target.modelId);
  if (request instanceof GatewayError) return request;
  const made = wire.translation.toRequest(request, target);
  if (made instanceof GatewayError) return made;
  const headers = made.headers.length > 0 ? [...target.headers, ...made.headers] : target.headers;
  return { path, headers, body: made.body, wholeBody: () => made.body };
}
