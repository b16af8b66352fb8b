import { objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { type OwnParameters, ownParameters } from '../base/openai-parameters.ts';

/**
 * What neither this names nor the table does is passed on: Anthropic's own (`container`, `mcp_servers`, `speed`, …) work.
 */
const PARAMETERS: OwnParameters = {
  vendor: 'Anthropic',
  read: new Set(['metadata', 'safety_identifier', 'service_tier', 'output_config']),
  // Hints on how to sample: OpenAI promises no exact effect either.
  harmless: new Set(['frequency_penalty', 'presence_penalty', 'seed']),
};

/** The client's other parameters for the body, or the first that cannot be expressed. */
export function extraParameters(request: InferenceRequest): Record<string, unknown> | GatewayError {
  const { extra } = request;
  const kept = ownParameters(extra, PARAMETERS);
  if (kept instanceof GatewayError) return kept;
  return { ...kept, metadata: metadata(request), service_tier: serviceTier(extra['service_tier']) };
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
