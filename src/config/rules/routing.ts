import { z } from 'zod';
import { type Manifest, positionOf } from '../documents/manifests.ts';
import { didYouMean, type PathSegment } from '../fault.ts';
import type { KindContext } from '../kinds/manifest-kind.ts';
import { canonicalModel } from '../resource-name.ts';
import { amount, headerMap, keyWithDefault, optionalKey, restricting, text, wholeNumber } from '../scalar-schema.ts';
import { metadataKey, metadataValue } from './conditions.ts';
import type {
  CanarySettings,
  ClassifierSettings,
  HedgeSettings,
  RetrySettings,
  RouteTarget,
  RoutingSettings,
  RoutingStrategy,
  ShadowSettings,
} from './routing-settings.ts';
import { compileCondition } from './target-condition.ts';

/** `routing_config` of virtual models, whose keys stand flat in a load balancing rule; and what both share with fallbacks. */

const MAX_TARGETS = 30;
const MAX_RETRIES = 10;

const statusError = 'HTTP statuses from 400 to 599, as `429` or `"429"`';
const status = z
  .union([z.int(), z.string().regex(/^\d{3}$/, { error: statusError })], { error: statusError })
  .transform(Number)
  .refine((value) => value >= 400 && value <= 599, { error: statusError });
export const statuses = z.array(status, { error: statusError }).max(200, { error: 'at most 200 statuses' });

const retryFields = z.object({
  attempts: wholeNumber(0, MAX_RETRIES).describe('Further tries of the same target; 0: none.'),
  delay: optionalKey(wholeNumber(0, 60_000)).describe(
    'Milliseconds before the first of them, by default 100; twice as long before each next, and varied by half.',
  ),
  on_status_codes: optionalKey(statuses).describe(
    'Statuses of the provider that are tried again; by default 429 and those from 500. A connection that failed always is.',
  ),
});

export const retryConfig = retryFields.transform(
  ({ attempts, delay, on_status_codes }): RetrySettings => ({
    maxRetries: attempts,
    delayMs: delay,
    statuses: on_status_codes,
  }),
);

export const modelName = z
  .string({ error: 'a model as `account/model`' })
  .regex(/^[A-Za-z0-9._:/@+-]{1,320}$/, { error: 'a model as `account/model`' })
  .transform(canonicalModel);

export const overrideParams = z
  .record(text(128), z.unknown())
  .refine((params) => !Object.hasOwn(params, 'prompt_version_fqn'), {
    error: 'parameters of the request; `prompt_version_fqn` is not supported yet',
  })
  .refine((params) => !Object.hasOwn(params, 'model') && !Object.hasOwn(params, 'stream'), {
    error: 'parameters of the request other than `model` and `stream`',
  });

/** What the connection itself is made of, and what decides where a request ends. */
const FRAMING = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'te', 'upgrade', 'trailer']);
const framingError = 'headers other than those that frame the request';

const headersOverride = z
  .object({
    remove: optionalKey(z.array(text(128))).describe('Headers that the provider does not get.'),
    set: optionalKey(headerMap()).describe('Headers that it gets in their place.'),
  })
  .transform(({ remove, set }) => ({
    remove: (remove ?? []).map((name) => name.toLowerCase()),
    set: Object.fromEntries(Object.entries(set ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
  }))
  .refine(({ remove, set }) => ![...remove, ...Object.keys(set)].some((name) => FRAMING.has(name)), {
    error: framingError,
  });

const conditionText = z.string({ error: 'an expression in CEL' }).superRefine((text, context) => {
  const compiled = compileCondition(text);
  if (typeof compiled === 'function') return;
  const message =
    'an expression in CEL of `subject`, `metadata`, `operation`, `stream`, `body_bytes`, `max_output_tokens`, `hour`';
  context.addIssue({ code: 'custom', message, params: { message: `this is no condition: ${compiled}` } });
});

const target = z
  .object({
    target: modelName.describe('The model that is asked, as `account/model`.'),
    weight: optionalKey(amount()).describe('Its share, relative to the others (weight-based).'),
    priority: optionalKey(wholeNumber(0, 1_000_000)).describe('0 is asked first (priority-based).'),
    tier: optionalKey(z.enum(['simple', 'medium', 'complex'])).describe(
      'Requests of which complexity it is for (complexity-based).',
    ),
    sla_cutoff: optionalKey(
      z.object({
        time_per_output_token_ms: optionalKey(amount()).describe('Between two tokens, the median of three minutes.'),
        time_to_first_token_ms: optionalKey(amount()).describe('Until first content, the median of three minutes.'),
      }),
    ).describe('A target that takes longer is asked after those that do not (priority-based).'),
    max_inter_token_latency: optionalKey(amount()).describe(
      'Of older forms: `sla_cutoff.time_per_output_token_ms`, in milliseconds, where that is absent.',
    ),
    retry_config: optionalKey(retryConfig).describe('By default `{attempts: 2, delay: 100}`.'),
    fallback_status_codes: optionalKey(statuses).describe(
      "The provider's own statuses after which the next target is asked; by default 401 to 404, 408, 429 and those from 500.",
    ),
    fallback_candidate: keyWithDefault(z.boolean(), true).describe('`false`: not asked after another one failed.'),
    override_params: optionalKey(overrideParams).describe('Parameters that stand over those of the request.'),
    headers_override: optionalKey(headersOverride).describe('Headers of the request to the provider.'),
    metadata_match: restricting(optionalKey(z.record(metadataKey, metadataValue))).describe(
      'Only requests whose metadata has all of these.',
    ),
    condition: restricting(optionalKey(conditionText), ['when', 'if']).describe(
      'Only requests for which this expression in CEL holds: `metadata.tier == "gold" && body_bytes < 10000`.',
    ),
  })
  .transform(
    (written): RouteTarget => ({
      target: written.target,
      weight: written.weight,
      priority: written.priority,
      tier: written.tier,
      sla: slaOf(written.sla_cutoff, written.max_inter_token_latency),
      retry: written.retry_config,
      fallbackStatuses: written.fallback_status_codes,
      fallbackCandidate: written.fallback_candidate,
      overrideParams: written.override_params,
      headersOverride: written.headers_override,
      metadataMatch: written.metadata_match,
      condition: written.condition,
    }),
  );

interface WrittenSla {
  readonly time_per_output_token_ms?: number | undefined;
  readonly time_to_first_token_ms?: number | undefined;
}

function slaOf(written: WrittenSla | undefined, olderPerTokenMs: number | undefined): RouteTarget['sla'] {
  if (written === undefined && olderPerTokenMs === undefined) return undefined;
  const { time_per_output_token_ms: perTokenMs = olderPerTokenMs, time_to_first_token_ms: firstTokenMs } =
    written ?? {};
  return { perTokenMs, firstTokenMs };
}

const sticky = z.object({
  ttl_seconds: wholeNumber(1, 31_536_000).describe('How long at least; a session stays while its target can be asked.'),
  session_identifiers: z
    .array(
      z.object({
        source: z.enum(['headers', 'metadata']).describe('Where its value stands.'),
        key: text(128).describe('Name of the header, or key of the metadata.'),
      }),
    )
    .min(1, { error: 'at least one identifier' })
    .max(8, { error: 'at most 8 identifiers' })
    .describe('Together they are the session; a request without any of them is of none.'),
});

const percentError = 'a share as `5%`, or a number of percent from 0 to 100';
const percent = z
  .union([z.number(), z.string().regex(/^\d{1,3}(\.\d+)?\s*%$/, { error: percentError })], { error: percentError })
  .transform((value) => (typeof value === 'number' ? value : Number.parseFloat(value)))
  .refine((value) => value >= 0 && value <= 100, { error: percentError });

const hedge = z
  .object({
    after: z
      .union([wholeNumber(1, 3_600_000), z.enum(['p50', 'p75', 'p90', 'p95', 'p99'])], {
        error: 'milliseconds, or `p50`, `p75`, `p90`, `p95`, `p99`',
      })
      .describe('Milliseconds without content, or a percentile of what the target took in the last minutes.'),
    max_rate: keyWithDefault(percent, 5).describe('The most requests, in percent, that get a second attempt.'),
  })
  .transform(({ after, max_rate }): HedgeSettings => ({ after, maxRatePercent: max_rate }));

const canary = z
  .object({
    target: modelName.describe('The new model, as `account/model`.'),
    share: percent.describe('Of callers, in percent: the same ones always, and these too when the share grows.'),
    retry_config: optionalKey(retryConfig).describe('As of a target.'),
    override_params: optionalKey(overrideParams).describe('As of a target.'),
    headers_override: optionalKey(headersOverride).describe('As of a target.'),
  })
  .transform(
    ({ target: name, share, retry_config, override_params, headers_override }): CanarySettings => ({
      sharePercent: share,
      target: {
        target: name,
        retry: retry_config,
        fallbackCandidate: false,
        overrideParams: override_params,
        headersOverride: headers_override,
      },
    }),
  );

const shadow = z
  .object({
    target: modelName.describe('The model that gets copies, as `account/model`.'),
    share: keyWithDefault(percent, 100).describe('Of requests, in percent.'),
    max_concurrent: keyWithDefault(wholeNumber(1, 1000), 8).describe(
      'Copies under way in each relay thread; beyond it none is made.',
    ),
    charge_to_caller: keyWithDefault(z.boolean(), false).describe(
      'Limits and budgets of who asked hold for the copy; else it is one of `virtualaccount:sluice-shadow`.',
    ),
  })
  .transform(
    ({ target: name, share, max_concurrent, charge_to_caller }): ShadowSettings => ({
      target: name,
      sharePercent: share,
      maxConcurrent: max_concurrent,
      chargesCaller: charge_to_caller,
    }),
  );

const classifier = z
  .object({
    model: modelName.describe('A chat model, as `account/model`, that is asked for the tier.'),
    timeout_ms: keyWithDefault(wholeNumber(50, 30_000), 2_000).describe(
      'Milliseconds that a request waits for it; then signs in the request tell.',
    ),
    max_concurrent: keyWithDefault(wholeNumber(1, 1000), 32).describe(
      'Questions under way in each relay thread; beyond it signs in the request tell.',
    ),
    instructions: optionalKey(text(8_000)).describe(
      'What it is told first, in place of our words: it must answer with `simple`, `medium` or `complex`.',
    ),
    override_params: optionalKey(overrideParams).describe('Parameters of the question, as `reasoning_effort`.'),
  })
  .transform(
    (written): ClassifierSettings => ({
      model: written.model,
      timeoutMs: written.timeout_ms,
      maxConcurrent: written.max_concurrent,
      instructions: written.instructions,
      overrideParams: written.override_params,
    }),
  );

const STRATEGIES = {
  'weight-based-routing': 'weight',
  'latency-based-routing': 'latency',
  'priority-based-routing': 'priority',
  'complexity-based-routing': 'complexity',
} as const satisfies Record<string, RoutingStrategy>;

const strategyNames = Object.keys(STRATEGIES) as [keyof typeof STRATEGIES, ...(keyof typeof STRATEGIES)[]];

/** The keys of a routing configuration. */
export const routingKeys = {
  type: z.enum(strategyNames).describe('How the target is chosen that is asked first.'),
  load_balance_targets: z
    .array(target)
    .min(1, { error: 'at least one target' })
    .max(MAX_TARGETS, { error: `at most ${MAX_TARGETS} targets` })
    .describe('The models that may answer.'),
  sticky_routing: optionalKey(sticky).describe('Requests of one session go to one target (weight-based).'),
  hedge: optionalKey(hedge).describe('A second attempt beside a slow first one; the first content wins.'),
  canary: optionalKey(canary).describe('A new target that a share of the callers gets first.'),
  shadow: optionalKey(shadow).describe('A second target that gets copies, whose answers are only recorded.'),
  classifier: optionalKey(classifier).describe('A model that tells how hard a request is (complexity-based).'),
};

const routingObject = z.object(routingKeys);

/** A routing that its strategy cannot follow is a fault, with the place of the target. */
export function routingOf(written: z.output<typeof routingObject>, context: z.core.$RefinementCtx): RoutingSettings {
  const strategy = STRATEGIES[written.type];
  const { load_balance_targets: targets, sticky_routing: session } = written;
  for (const [index, each] of targets.entries()) {
    const missing = missingKey(strategy, each);
    if (missing === undefined) continue;
    const path = ['load_balance_targets', index, missing];
    context.issues.push({
      code: 'custom',
      message: `\`${missing}\` of each target of ${written.type}`,
      path,
      input: each,
    });
  }
  if (strategy === 'weight' && targets.every(({ weight }) => weight === 0)) {
    const path = ['load_balance_targets'];
    context.issues.push({ code: 'custom', message: 'a weight above 0', path, input: targets });
  }
  if (written.classifier !== undefined && strategy !== 'complexity') {
    const path = ['classifier'];
    const message = '`classifier` only where the type is complexity-based-routing';
    context.issues.push({ code: 'custom', message, path, input: written.classifier });
  }
  return {
    strategy,
    targets,
    sticky: session && {
      ttlMs: session.ttl_seconds * 1000,
      identifiers: session.session_identifiers.map(({ source, key }) => ({
        source,
        key: source === 'headers' ? key.toLowerCase() : key,
      })),
    },
    hedge: written.hedge,
    canary: written.canary,
    shadow: written.shadow,
    classifier: written.classifier,
  };
}

function missingKey(strategy: RoutingStrategy, { weight, priority, tier }: RouteTarget): string | undefined {
  if (strategy === 'weight' && weight === undefined) return 'weight';
  if (strategy === 'priority' && priority === undefined) return 'priority';
  if (strategy === 'complexity' && tier === undefined) return 'tier';
  return undefined;
}

/** The same of all models that a routing names. */
export function checkRouting(
  {
    targets,
    canary: first,
    shadow: second,
    classifier: asked,
  }: Pick<RoutingSettings, 'targets' | 'canary' | 'shadow' | 'classifier'>,
  manifest: Manifest,
  path: readonly PathSegment[],
  virtual: ReadonlySet<string>,
  context: Pick<KindContext, 'models' | 'report'>,
): void {
  const check = (target: string, at: readonly PathSegment[], key = 'target'): void =>
    checkTarget(target, positionOf(manifest, [...path, ...at, key]), virtual, context);
  for (const [index, each] of targets.entries()) check(each.target, ['load_balance_targets', index]);
  if (first) check(first.target.target, ['canary']);
  if (second) check(second.target, ['shadow']);
  if (asked) check(asked.model, ['classifier'], 'model');
}

/** Each target must be a model that is there, and no virtual one. */
export function checkTargets(
  targets: readonly { readonly target: string }[],
  manifest: Manifest,
  path: readonly PathSegment[],
  virtual: ReadonlySet<string>,
  { models, report }: Pick<KindContext, 'models' | 'report'>,
): void {
  for (const [index, { target: name }] of targets.entries())
    checkTarget(name, positionOf(manifest, [...path, index, 'target']), virtual, { models, report });
}

function checkTarget(
  name: string,
  at: ReturnType<typeof positionOf>,
  virtual: ReadonlySet<string>,
  { models, report }: Pick<KindContext, 'models' | 'report'>,
): void {
  if (virtual.has(name)) {
    const message = 'a virtual model cannot be a target';
    report.faults.push({
      code: 'invalid-value',
      ...at,
      message,
      found: `\`${name}\``,
      allowed: 'models of accounts',
    });
  } else if (!models.canBe(name)) {
    report.faults.push({
      code: 'invalid-value',
      ...at,
      message: 'there is no such model',
      found: `\`${name}\``,
      allowed: 'a model as `account/model`',
      remedy: didYouMean(models.nearModels(name)),
    });
  }
}
