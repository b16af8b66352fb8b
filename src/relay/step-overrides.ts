import { parseExact } from '../codec/exact-json.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { StepOverrides } from '../routing/route-plan.ts';

/**
 * The client's body with the parameters of a step set over its own; numbers of the client stay digit for digit. It is
 * parsed here and now, so only a step that has such parameters pays for it.
 */
export function overriddenRequest(
  exchange: Exchange,
  dialect: Dialect,
  params: NonNullable<StepOverrides['params']>,
): OrError<{ readonly body: Buffer; readonly peeked: PeekedRequest }> {
  const changed = dialect.overridden?.(exchange.body, params, exchange) ?? overriddenJson(exchange.body, params);
  if (changed instanceof GatewayError) return changed;
  const scan = dialect.scan(exchange);
  scan.advance(changed, changed.length);
  const peeked = scan.result(changed);
  return peeked instanceof GatewayError ? peeked : { body: changed, peeked };
}

function overriddenJson(body: Buffer, params: NonNullable<StepOverrides['params']>): OrError<Buffer> {
  let asked: unknown;
  try {
    asked = parseExact(body.toString());
  } catch {
    // The scan checks strings and brackets only: finer faults show here.
    return new GatewayError('invalid_json');
  }
  return Buffer.from(JSON.stringify(Object.assign({}, asked, params)));
}

/** Flat name-value pairs, lower-case names. */
export function overriddenHeaders(
  list: readonly string[],
  { remove, set }: NonNullable<StepOverrides['headers']>,
): string[] {
  const kept = list.filter((_, at) => {
    const name = list[at - (at % 2)]!;
    return !remove.includes(name) && !Object.hasOwn(set, name);
  });
  return [...kept, ...Object.entries(set).flat()];
}
