import type { Principal } from '../core/exchange.ts';
import { compilePatterns, type ModelMatcher } from './model-pattern.ts';

const allowsAll: ModelMatcher = () => true;

/** Which canonical models the patterns of a key allow. Compiled once per list. */
export function modelsOfKey(principal: Principal): ModelMatcher {
  return principal.models === undefined ? allowsAll : compilePatterns(principal.models);
}
