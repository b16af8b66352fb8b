import { z } from 'zod';
import { warn } from '../documents/manifests.ts';
import { DEFAULT_GUARDRAIL_SETTINGS, type GuardrailSettings } from '../guardrails/guardrails.ts';
import type { BodyLogging } from '../rules/request-log-rules.ts';
import { retryConfig } from '../rules/routing.ts';
import type { RetrySettings } from '../rules/routing-settings.ts';
import { optionalKey, restricting, restrictingKey, text, wholeNumber } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

/** `gateway-global-settings`: what holds for all models, guards, caches and bodies. */

const schema = z.object({
  type: z.literal('gateway-global-settings'),
  name: optionalKey(text(256)).describe('Has no effect.'),
  retry_settings: optionalKey(retryConfig).describe('Retries of every model that says nothing of its own.'),
  logging_settings: restrictingKey(
    optionalKey(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('always').describe('Bodies of all requests and answers are kept.') }),
        z.object({ type: z.literal('never').describe('No body is kept; the ledger has its row all the same.') }),
        z.object({
          type: z.literal('header_controlled').describe('As `x-tfy-logging-config` of the request says.'),
          log_body_by_default: z.boolean().describe('Where a request says nothing.'),
        }),
      ]),
    ),
  ).describe('Whether the [request log](request-log.md) keeps bodies; absent: no.'),
  semantic_cache_settings: optionalKey(
    z.object({
      semantic_cache_embedding_model: text(256).describe('A model for embeddings, as `account/model`.'),
    }),
  ).describe('What makes vectors for the [semantic cache](caching.md#like-questions).'),
  guardrail_settings: restricting(
    optionalKey(
      z.object({
        timeout_ms: optionalKey(wholeNumber(1, 600_000)).describe('How long a guard may take.'),
        enable_parallel_execution: optionalKey(z.boolean()).describe(
          'Whether guards that only look run beside the call of the model.',
        ),
        window_characters: optionalKey(wholeNumber(1, 1_000_000)).describe(
          'With `on_streams: window`: how much of a stream is judged at once, up to the end of a sentence. Default: 400.',
        ),
        window_overlap_characters: optionalKey(wholeNumber(1, 100_000)).describe(
          'How much of it is judged again with the next window. Default: 100.',
        ),
        offload_characters: optionalKey(wholeNumber(1, 1_000_000_000)).describe(
          'From how long a request or a whole answer local guards read it in another thread. Default: 131072.',
        ),
      }),
    ),
  ).describe('What holds for all guards.'),
});

export const gatewayGlobalSettings = manifestKind({
  type: 'gateway-global-settings',
  schema,
  uniqueKeys: [{ path: 'type', what: 'the kind `gateway-global-settings`', over: 'gateway-global-settings' }],
  check(written, { report, models }) {
    for (const { manifest, value } of written) {
      const model = value.semantic_cache_settings?.semantic_cache_embedding_model;
      if (model === undefined || models.canBe(model)) continue;
      const path = ['semantic_cache_settings', 'semantic_cache_embedding_model'];
      warn(report, manifest, path, { message: `no account has the model \`${model}\`: only equal requests are hits` });
    }
  },
  part: (
    [first],
    { environment },
  ): {
    retrySettings?: RetrySettings | undefined;
    guardrailSettings: GuardrailSettings;
    bodyLogging?: BodyLogging | undefined;
    semanticCacheModel?: string | undefined;
  } => {
    const {
      timeout_ms: timeoutMs,
      enable_parallel_execution: parallel,
      window_characters: windowCharacters,
      window_overlap_characters: overlapCharacters,
      offload_characters: offloadCharacters,
    } = first?.value.guardrail_settings ?? {};
    const fromEnvironment = Number(environment['GUARDRAIL_TIMEOUT_MS']);
    const byDefault = fromEnvironment > 0 ? fromEnvironment : DEFAULT_GUARDRAIL_SETTINGS.timeoutMs;
    return {
      retrySettings: first?.value.retry_settings,
      bodyLogging: bodyLoggingOf(first?.value.logging_settings),
      semanticCacheModel: first?.value.semantic_cache_settings?.semantic_cache_embedding_model,
      guardrailSettings: {
        timeoutMs: timeoutMs ?? byDefault,
        parallel: parallel ?? DEFAULT_GUARDRAIL_SETTINGS.parallel,
        ...(windowCharacters !== undefined && { windowCharacters }),
        ...(overlapCharacters !== undefined && { overlapCharacters }),
        ...(offloadCharacters !== undefined && { offloadCharacters }),
      },
    };
  },
});

function bodyLoggingOf(written: z.output<typeof schema>['logging_settings']): BodyLogging | undefined {
  if (written === undefined) return undefined;
  return written.type === 'header_controlled'
    ? { mode: 'header', byDefault: written.log_body_by_default }
    : { mode: written.type };
}
