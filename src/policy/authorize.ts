import { GatewayError } from '../core/errors.ts';
import type { Caller } from './caller.ts';

/** Whether a caller may use a canonical model; the refusal names both. */
export function authorize(caller: Caller, model: string): GatewayError | undefined {
  if (caller.allows(model)) return undefined;
  return new GatewayError('model_forbidden', {
    param: 'model',
    detail: `\`${caller.principal.subject}\` may not use \`${model}\`.`,
    target: model,
  });
}
