import type { GatewayError } from '../../core/errors.ts';
import { errorBody } from '../openai-json/error-body.ts';

/**
 * `error`, for a stream that has begun: as it is documented, and with the object that the service itself puts into it.
 * The SDKs raise it. https://platform.openai.com/docs/api-reference/responses-streaming/error
 */
export function errorEvent(error: GatewayError): Buffer {
  return numberedError(error, 0);
}

export function numberedError(error: GatewayError, sequenceNumber: number): Buffer {
  const { error: told } = JSON.parse(errorBody(error).toString());
  const { code, message, param } = told;
  const event = { type: 'error', sequence_number: sequenceNumber, code, message, param, error: told };
  return Buffer.from(`event: error\ndata: ${JSON.stringify(event)}\n\n`);
}
