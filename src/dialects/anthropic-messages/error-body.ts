import type { GatewayError } from '../../core/errors.ts';

/** https://platform.claude.com/docs/en/api/errors */
const TYPE_OF_STATUS: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [504, 'timeout_error'],
]);

/** SDKs and agents tell by the type whether to try again. Another vendor's word (`RESOURCE_EXHAUSTED`) means nothing to them. */
const TYPES: ReadonlySet<string> = new Set([...TYPE_OF_STATUS.values(), 'api_error']);

/** `{"type": "error", "error": {type, message}}`, for an answer that has not begun. */
export function errorBody(error: GatewayError, exchangeId?: string): Buffer {
  return Buffer.from(errorJson(error, exchangeId));
}

/** The same as an event, for a stream that has. The SDKs raise it. */
export function errorEvent(error: GatewayError, exchangeId?: string): Buffer {
  return Buffer.from(`event: error\ndata: ${errorJson(error, exchangeId)}\n\n`);
}

function errorJson(error: GatewayError, exchangeId: string | undefined): string {
  const { status, context } = error;
  const type = TYPES.has(context.upstreamType ?? '') ? context.upstreamType : typeOfStatus(status);
  // A provider's own verdict stands as it said it; to ours we add what can be done.
  const message = error.code === 'upstream_rejected' ? error.message : `${error.message} ${error.rule.remedy}`;
  return JSON.stringify({ type: 'error', error: { type, message }, request_id: exchangeId });
}

function typeOfStatus(status: number): string {
  return TYPE_OF_STATUS.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
