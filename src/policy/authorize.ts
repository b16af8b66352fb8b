import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { compilePatterns } from './model-pattern.ts';

type Allows = (model: string) => boolean;

const allowsByPrincipal = new WeakMap<Principal, Allows>();
const allowsAll: Allows = () => true;

/** Which canonical models a principal may use. Compiled once per principal. */
export function modelsOf(principal: Principal): Allows {
  if (principal.models === undefined) return allowsAll;
  let allows = allowsByPrincipal.get(principal);
  if (!allows) {
    allows = compilePatterns(principal.models);
    allowsByPrincipal.set(principal, allows);
  }
  return allows;
}

export function authorize(principal: Principal, model: string): GatewayError | undefined {
  if (modelsOf(principal)(model)) return undefined;
  return new GatewayError('model_forbidden', {
    param: 'model',
    detail: `\`${model}\` is not among the models of \`${principal.subject}\`.`,
    target: model,
  });
}
