import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { PeekedRequest } from '../dialect.ts';

/** A request whose tokens are only counted: nothing is generated and nothing billed, so that nothing is held for it. */
export function onlyCounted<P extends PeekedRequest>(peeked: OrError<P>): OrError<P> {
  if (peeked instanceof GatewayError) return peeked;
  return { ...peeked, stream: false, maxOutputTokens: 0, choices: 0, promptBytes: 0, free: true };
}

/** The tokens that a provider counted, in the body of a client's form. */
export function countedTokens(
  events: readonly InferenceEvent[],
  body: (inputTokens: number) => Buffer,
): OrError<Buffer> {
  const told = events.find((event) => event.type === 'usage');
  const tokens = told?.usage.inputTokens;
  return tokens === undefined
    ? new GatewayError('upstream_protocol', { detail: 'Its answer counts nothing.' })
    : body(tokens);
}
