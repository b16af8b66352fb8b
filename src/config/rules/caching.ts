import type { RuleMatch } from './rule-match.ts';

/*
 * What rules and clients may say of a cached answer, and what stands for what they do not say. Clients say it in
 * `x-tfy-cache-config`.
 */

/** Three days, as the reference product has it. */
export const MAX_TTL_SECONDS = 259_200;
export const DEFAULT_TTL_SECONDS = 600;
export const DEFAULT_NAMESPACE = 'default';
export const DEFAULT_SIMILARITY = 0.9;

export const NAMESPACE = /^[A-Za-z0-9._:/@-]{1,128}$/;
export const NAMESPACE_ERROR = '1 to 128 characters of A–Z a–z 0–9 . _ : / @ -';

/** How answers are cached, as a rule or a client says. */
export interface CacheSettings {
  /** `semantic`: the answers of questions that are like one, beside those of equal requests. */
  type: 'exact-match' | 'semantic';
  /** Cosine from which on two questions are alike. */
  similarityThreshold: number;
  /** Nothing is served: it is recorded what would have been. */
  shadow: boolean;
  ttlMs: number;
  namespace: string;
}

export interface CacheRule {
  id: string;
  match: RuleMatch;
  /** Undefined: nothing is cached, whatever the client asks. */
  cache: RuledCache | undefined;
}

export interface RuledCache extends CacheSettings {
  /** The others who get the answers of one principal; `team`: those whose first team is the same. */
  sharedWith: 'nobody' | 'team' | 'everyone';
  /** Streams come as fast as they are taken, or at the pace of the original. */
  replay: 'at-once' | 'paced';
}
