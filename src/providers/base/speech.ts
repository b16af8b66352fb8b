import { GatewayError } from '../../core/errors.ts';
import type { NeutralRequest } from '../../inference/neutral-request.ts';
import type { SpeechFormat, SpeechRequest } from '../../inference/speech.ts';

/** The dialect of a wire of speech makes no other request. */
export function isSpeech(request: NeutralRequest): request is SpeechRequest {
  return 'text' in request && 'format' in request;
}

export function noSuchFormat(provider: string, format: SpeechFormat, allowed: readonly string[]): GatewayError {
  return new GatewayError('unsupported_parameter', {
    param: 'response_format',
    detail: `${provider} does not speak ${format}; it has ${allowed.join(', ')}.`,
  });
}

export function nothingFor(provider: string, param: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail: `${provider} has nothing for \`${param}\`.` });
}

/** Bytes pass; whoever asks for events of an answer asks in vain. */
export function notRead(): GatewayError {
  return new GatewayError('upstream_protocol', { detail: 'Its answer is no audio.' });
}
