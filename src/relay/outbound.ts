import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Connection, Mount, Target } from '../providers/provider.ts';
import type { OutboundRequest } from '../upstream/attempt.ts';
import { requestHeaders } from '../upstream/forward-headers.ts';
import { asksUsage } from './asks-usage.ts';
import { mountFor } from './choose-mount.ts';
import { type HeavyTranslator, type TranslatedRequest, translateRequest } from './request-translation.ts';

/** One request to one target, authorised. Made anew for each attempt: a signature is about its moment. */
export interface Outbound extends OutboundRequest {
  readonly connection: Connection;
  readonly body: Buffer | Buffer[];
  /** The gateway asks for usage, and the client did not. */
  readonly asksUsage: boolean;
  onBodySent: (() => void) | undefined;
}

export function wholeBody(body: Buffer | Buffer[]): Buffer {
  return Array.isArray(body) ? Buffer.concat(body) : body;
}

/** The client's request in the provider's form: spliced where they speak the same, else translated. */
export function outbound(
  exchange: Exchange,
  dialect: Dialect,
  peeked: PeekedRequest,
  target: Target,
  translateHeavy: HeavyTranslator,
  abandoned: { readonly signal: AbortSignal },
): OrError<Outbound> | Promise<OrError<Outbound>> {
  const mount = mountFor(target, dialect);
  if (mount === undefined) return new GatewayError('unsupported_operation', { target: target.id });
  const { wire } = mount;
  if (wire.name === dialect.name) {
    const { modelId, abilities } = target;
    const askUsage = asksUsage(dialect, peeked, target);
    const edits = { modelId, askUsage, developerAsSystem: !abilities.developerRole };
    const body = dialect.splice(exchange.body, peeked, edits);
    return authorised(exchange, peeked, target, mount, { body, headers: NO_HEADERS, asksUsage: askUsage });
  }
  const finish = (made: OrError<TranslatedRequest>): OrError<Outbound> =>
    made instanceof GatewayError ? made : authorised(exchange, peeked, target, mount, { ...made, asksUsage: false });
  const { body } = exchange;
  if (body.length > INLINE_BYTES) {
    const { id, modelId } = target;
    return translateHeavy(dialect, wire, { id, modelId }, body, abandoned.signal).then(finish);
  }
  return finish(translateRequest(dialect, wire.translation!, target, body));
}

interface Asked {
  readonly body: Buffer | Buffer[];
  /** Those that this request needs beyond the mount's. */
  readonly headers: readonly string[];
  readonly asksUsage: boolean;
}

function authorised(
  exchange: Exchange,
  peeked: PeekedRequest,
  target: Target,
  mount: Mount,
  asked: Asked,
): OrError<Outbound> {
  const { wire, connection, credential } = mount;
  // Answered inside the process: nobody reads headers.
  const headers = target.local ? [] : requestHeaders(exchange.headers, peeked, mount);
  for (const each of asked.headers) headers.push(each);
  const request: Outbound = {
    connection,
    origin: connection.origin,
    path: mount.path(target, peeked),
    method: wire.method,
    headers,
    body: asked.body,
    asksUsage: asked.asksUsage,
    onBodySent: undefined,
  };
  const signed = credential.sign(request);
  if (signed instanceof GatewayError) return signed;
  for (const each of signed) headers.push(each);
  return request;
}

const NO_HEADERS: readonly string[] = [];

/** Up to here a translation takes less than the 5 ms that a neighbour may feel; the crossing itself is 0.1 ms. */
const INLINE_BYTES = 262_144;
