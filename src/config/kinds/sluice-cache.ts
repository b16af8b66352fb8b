import { z } from 'zod';
import { warn } from '../documents/manifests.ts';
import {
  type CacheRule,
  DEFAULT_NAMESPACE,
  DEFAULT_SIMILARITY,
  DEFAULT_TTL_SECONDS,
  MAX_TTL_SECONDS,
  NAMESPACE,
  NAMESPACE_ERROR,
} from '../rules/caching.ts';
import { matchOfRule, ruleConditions } from '../rules/conditions.ts';
import { checkRules } from '../rules/rule-checks.ts';
import { keyWithDefault, restricting, restrictingKey, text, wholeNumber } from '../scalar-schema.ts';
import { gatewayGlobalSettings } from './gateway-global-settings.ts';
import { manifestKind } from './manifest-kind.ts';

const SIMILARITY_ERROR = 'a number from 0 to 1';
const fraction = z
  .number({ error: SIMILARITY_ERROR })
  .min(0, { error: SIMILARITY_ERROR })
  .max(1, { error: SIMILARITY_ERROR });

const rule = z
  .object({
    id: text(256).describe('Stands in receipts.'),
    when: ruleConditions,
    type: keyWithDefault(z.enum(['exact-match', 'semantic', 'off']), 'exact-match').describe(
      '`exact-match`, `semantic` (like questions too), or `off`: nothing is cached, whatever a client asks.',
    ),
    similarity_threshold: keyWithDefault(fraction, DEFAULT_SIMILARITY).describe(
      'Of `semantic`: the cosine of two questions from which on they are alike, 0 to 1.',
    ),
    shadow: keyWithDefault(z.boolean(), false).describe(
      'Nothing is served from the cache: headers, records and metrics tell what would have been.',
    ),
    ttl: keyWithDefault(wholeNumber(1, MAX_TTL_SECONDS), DEFAULT_TTL_SECONDS).describe(
      'Seconds for which an answer is good; at most three days.',
    ),
    namespace: keyWithDefault(
      z.string({ error: NAMESPACE_ERROR }).regex(NAMESPACE, { error: NAMESPACE_ERROR }),
      DEFAULT_NAMESPACE,
    ).describe('Answers of one namespace are apart from those of others, and can be flushed by it.'),
    shared_with: restrictingKey(keyWithDefault(z.enum(['nobody', 'team', 'everyone']), 'nobody')).describe(
      'Who gets an answer beside the caller that asked first: `team` is the first of its teams.',
    ),
    replay: keyWithDefault(z.enum(['at-once', 'paced']), 'at-once').describe(
      'Whether a cached stream comes at once, or at the pace of the original.',
    ),
  })
  .transform(
    (written): CacheRule => ({
      id: written.id,
      match: matchOfRule(written.when),
      cache:
        written.type === 'off'
          ? undefined
          : {
              type: written.type,
              similarityThreshold: written.similarity_threshold,
              shadow: written.shadow,
              ttlMs: written.ttl * 1000,
              namespace: written.namespace,
              sharedWith: written.shared_with,
              replay: written.replay,
            },
    }),
  );

/** `sluice/cache`: which answers are cached without their clients asking, and how those are that ask. */
export const sluiceCache = manifestKind({
  type: 'sluice/cache',
  schema: restricting(
    z.object({
      type: z.literal('sluice/cache'),
      rules: z
        .array(rule)
        .max(1000, { error: 'at most 1000 rules' })
        .describe('The first that matches a request decides.'),
    }),
  ),
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id', over: 'sluice/cache rules' }],
  check(written, context) {
    const list = written.flatMap(({ manifest, value }) =>
      value.rules.map((each, index) => ({ rule: each, manifest, path: ['rules', index] })),
    );
    checkRules(list, 'never decides', context);
    const hasModel = context.written(gatewayGlobalSettings).some(({ value }) => value.semantic_cache_settings);
    if (hasModel) return;
    for (const { rule: each, manifest, path } of list) {
      if (each.cache?.type !== 'semantic') continue;
      const message =
        'only equal requests are hits, since `semantic_cache_settings` of gateway-global-settings is missing';
      warn(context.report, manifest, [...path, 'type'], { message });
    }
  },
  part: (written): { cacheRules: CacheRule[] } => ({ cacheRules: written.flatMap(({ value }) => value.rules) }),
});
