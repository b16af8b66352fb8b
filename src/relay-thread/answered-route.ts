import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Route } from '../edge/routes.ts';
import { BlobFault } from '../files/blob-store.ts';
import type { RefusalRecords } from './refusal-records.ts';

type Answer = (exchange: Exchange) => Promise<OrError<number>>;

/** Makes routes that a relay thread answers itself, some after it asked other threads. `common`: properties of all routes. */
export function answeredRoutes(records: RefusalRecords, errorBody: Route['errorBody'], common: Partial<Route> = {}) {
  return (method: Route['method'], pattern: string, answer: Answer, more: Partial<Route> = {}): Route => ({
    method,
    pattern,
    needsKey: true,
    body: 'none',
    errorBody,
    handle: (exchange) => void answered(records, exchange, answer),
    ...common,
    ...more,
  });
}

/** `answer` gives the status that it sent, or why there is none. */
export async function answered(records: RefusalRecords, exchange: Exchange, answer: Answer): Promise<void> {
  let left: GatewayError | undefined;
  exchange.onAbort = (reason) => {
    left = abortError(reason);
  };
  const outcome = await answer(exchange).catch(faultOf);
  const error = left ?? outcome;
  if (typeof error === 'number') records.answered(exchange, error);
  else {
    records.refused(exchange, error);
    if (!exchange.sink.started) exchange.refuse(error, error.context.headers);
  }
  exchange.finish();
}

function faultOf(cause: unknown): GatewayError {
  if (!(cause instanceof BlobFault)) return new GatewayError('internal_error', { cause });
  return new GatewayError('blobs_unavailable', { detail: cause.message, retryAfterMs: 5_000, cause });
}

/** The whole answer, 200, as JSON. */
export function answerJson(exchange: Exchange, value: object): void {
  answerText(exchange, JSON.stringify(value));
}

/** `json`: one value, sent as it is. */
export function answerText(exchange: Exchange, json: string): void {
  answerBytes(exchange, Buffer.from(json));
}

export function answerBytes(exchange: Exchange, json: Uint8Array): void {
  const headers = ['content-type', 'application/json'];
  exchange.pushOwnHeaders(headers, 0);
  exchange.sink.start(200, headers);
  exchange.sink.end(json);
}
