import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PipelineOptions, RefusedRequest } from './pipeline-options.ts';

export const NOTHING_KNOWN: RefusedRequest = { model: undefined };

/** Ends an exchange before anybody was asked. */
export function refuse(
  exchange: Exchange,
  error: GatewayError,
  request: RefusedRequest,
  options: PipelineOptions,
): void {
  exchange.refuse(error, error.context.headers);
  options.refused(exchange, error, request);
  exchange.finish();
}
