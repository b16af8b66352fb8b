import { dataEvent } from '../../codec/sse-writer.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/** `{"error": {message, type, code, param}}`, for an answer that has not begun. */
export function errorBody(error: GatewayError): Buffer {
  return Buffer.from(errorJson(error));
}

/** The same as an event, for a stream that has begun. The SDKs raise it. */
export function errorEvent(error: GatewayError): Buffer {
  return dataEvent(errorJson(error));
}

function errorJson(error: GatewayError): string {
  const { upstreamCode, upstreamType, param, beside } = error.context;
  return JSON.stringify({
    ...beside,
    error: {
      message: messageWithRemedy(error),
      type: upstreamType ?? error.rule.type,
      code: upstreamCode ?? error.code,
      param: param ?? null,
    },
  });
}

/** A provider's own verdict stands as it said it; to ours we add what can be done. */
function messageWithRemedy(error: GatewayError): string {
  return error.code === 'upstream_rejected' ? error.message : `${error.message} ${error.rule.remedy}`;
}

/** The failure that a provider told in the place of an answer, or in the middle of one. */
export function providerFailure({ message, errorType }: Extract<InferenceEvent, { type: 'error' }>): GatewayError {
  return new GatewayError('upstream_stream_error', {
    detail: message,
    upstreamType: errorType,
    providerWords: true,
  });
}
