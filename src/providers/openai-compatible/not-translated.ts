import { GatewayError } from '../../core/errors.ts';

/** The error of a wire whose answers pass (`answersAs`): nobody makes events of them. */
export function notTranslated(): GatewayError {
  return new GatewayError('upstream_protocol', { detail: 'Its answer is not of the form that it promised.' });
}
