import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';

const always = () => true;
const never = () => false;

/**
 * Parameters of chat completions that the Messages API has no word for: whether this value of it may be left out
 * without giving the client something else than it asked for. What may not is refused by name. Keys that stand neither
 * here nor in RENAMED are passed on as they are: Anthropic's own (`container`, `mcp_servers`, `speed`, …) work, and it
 * refuses the rest itself.
 */
const LEFT_OUT: Readonly<Record<string, (value: unknown) => boolean>> = {
  // Hints on how to sample or to compute; OpenAI promises no exact effect either.
  frequency_penalty: always,
  presence_penalty: always,
  seed: always,
  prediction: always,
  verbosity: always,
  // About storing and caching at OpenAI.
  store: always,
  prompt_cache_key: always,
  prompt_cache_retention: always,
  // Where their value asks for nothing special.
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
  modalities: (value) => isArray(value) && value.every((kind) => kind === 'text'),
  audio: never,
  web_search_options: never,
  // The forms before `tools`.
  functions: never,
  function_call: never,
};

const RENAMED: ReadonlySet<string> = new Set(['metadata', 'safety_identifier', 'service_tier', 'output_config']);

/** The client's other parameters for the body, or the first that cannot be expressed. */
export function extraParameters(request: InferenceRequest): Record<string, unknown> | GatewayError {
  const { extra } = request;
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(extra)) {
    if (RENAMED.has(key)) continue;
    const mayBeLeftOut = Object.hasOwn(LEFT_OUT, key) ? LEFT_OUT[key] : undefined;
    if (mayBeLeftOut === undefined) kept.push([key, value]);
    else if (!mayBeLeftOut(value)) {
      return new GatewayError('unsupported_parameter', { param: key, detail: `Anthropic has nothing for \`${key}\`.` });
    }
  }
  return { ...Object.fromEntries(kept), metadata: metadata(request), service_tier: serviceTier(extra['service_tier']) };
}

/** The one thing Anthropic keeps about a request is the end user; OpenAI's free tags stay here. */
function metadata({ user, extra }: InferenceRequest): { user_id: string } | undefined {
  const userId = user ?? stringOf(extra['safety_identifier']) ?? stringOf(objectOf(extra['metadata'])?.['user_id']);
  return userId === undefined ? undefined : { user_id: userId };
}

/** Tiers that only OpenAI sells (flex, priority, …) fall back to what the account has. */
function serviceTier(value: unknown): string | undefined {
  if (value === 'default' || value === 'standard_only') return 'standard_only';
  return value === 'auto' ? 'auto' : undefined;
}
