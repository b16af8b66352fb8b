import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';
import { asksUsage } from './asks-usage.ts';
import { type HeavyTranslator, type TranslatedRequest, translateRequest } from './request-translation.ts';

export interface Outbound {
  readonly path: string;
  /** The target's, and what this request needs beyond. */
  readonly headers: readonly string[];
  readonly body: Buffer | Buffer[];
}

export function wholeBody(body: Buffer | Buffer[]): Buffer {
  return Array.isArray(body) ? Buffer.concat(body) : body;
}

/** The client's request in the provider's words: spliced where they speak the same, else translated. */
export function outbound(
  { body }: Pick<Exchange, 'body'>,
  dialect: Dialect,
  peeked: PeekedRequest,
  target: Target,
  translateHeavy: HeavyTranslator,
  abandoned: { readonly signal: AbortSignal },
): OrError<Outbound> | Promise<OrError<Outbound>> {
  const { wire } = target;
  const path = target.basePath + wire.path(target, peeked.stream);
  if (wire.name === dialect.name) {
    const spliced = dialect.splice(body, peeked, target.modelId, asksUsage(peeked, target));
    return { path, headers: target.headers, body: spliced };
  }
  if (!wire.translation) return new GatewayError('unsupported_operation', { target: target.id });
  const finish = (made: OrError<TranslatedRequest>): OrError<Outbound> => {
    if (made instanceof GatewayError) return made;
    const headers = made.headers.length > 0 ? [...target.headers, ...made.headers] : target.headers;
    return { path, headers, body: made.body };
  };
  if (body.length > INLINE_BYTES)
    return translateHeavy(dialect, wire, { id: target.id, modelId: target.modelId }, body, abandoned.signal).then(
      finish,
    );
  return finish(translateRequest(dialect, wire.translation, target, body));
}

/** Up to here a translation takes less than the 5 ms that a neighbour may feel; the crossing itself is 0.1 ms. */
const INLINE_BYTES = 262_144;
