import type { CacheRule, CacheSettings, RuledCache } from '../config/rules/caching.ts';
import type { Caller } from './caller.ts';
import type { Metadata } from './metadata.ts';
import { type CompiledMatch, compileMatch } from './rule-match.ts';

/** The caching of a request, and the rule that asks for it; undefined: its client alone does. */
export interface ChosenCache {
  readonly settings: RuledCache;
  readonly rule: string | undefined;
}

/**
 * `sluice/cache`: the first rule that matches decides. A client that asks for itself gets what it asks for; that others
 * get its answers, a rule alone may say, and of its own namespace alone.
 */
export class CacheRules {
  readonly #rules: readonly { readonly rule: CacheRule; readonly match: CompiledMatch }[];

  constructor(rules: readonly CacheRule[]) {
    this.#rules = rules.map((rule) => ({ rule, match: compileMatch(rule.match) }));
  }

  /** Undefined: nothing is cached. `models`: the names of the model. */
  choose(
    caller: Caller,
    models: readonly string[],
    metadata: Metadata,
    wished: CacheSettings | undefined,
  ): ChosenCache | undefined {
    const found = this.#rules.find(
      ({ match }) =>
        match.fits(caller, models) &&
        match.metadata.every(({ key, holds }) => holds(Object.hasOwn(metadata, key) ? metadata[key] : undefined)),
    );
    if (found === undefined) return ownCache(wished);
    const { id, cache } = found.rule;
    if (cache === undefined) return undefined;
    if (wished === undefined) return { settings: cache, rule: id };
    const isOfRule = wished.namespace === cache.namespace;
    return isOfRule ? { settings: { ...cache, ...wished }, rule: id } : ownCache(wished);
  }
}

/** As a client asks for itself; undefined: it does not ask. */
export function ownCache(wished: CacheSettings | undefined): ChosenCache | undefined {
  if (wished === undefined) return undefined;
  return { settings: { ...wished, sharedWith: 'nobody', replay: 'at-once' }, rule: undefined };
}
