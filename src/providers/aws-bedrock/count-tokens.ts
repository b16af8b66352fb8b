import { countOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { awsError } from '../base/aws-error.ts';
import { jsonBody } from '../base/json-body.ts';
import type { TranslationTarget, Wire } from '../provider.ts';
import { toRequest } from './to-request.ts';

/**
 * Bedrock counts for Claude's models. It is free of charge, so it tells no usage of an answer.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
 */
export const bedrockCountTokensWire: Wire = {
  name: 'bedrock-count-tokens',
  operation: 'count-tokens',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/model/${encodeURIComponent(modelId)}/count-tokens`,
  toUsage: () => undefined,
  toError: awsError,
  translation: {
    toRequest(request: InferenceRequest, target: TranslationTarget) {
      const made = toRequest(request, target);
      if (made instanceof GatewayError) return made;
      const { messages, system, toolConfig, additionalModelRequestFields } =
        parseObject(made.body.toString('utf8')) ?? {};
      const converse = { messages, system, toolConfig, additionalModelRequestFields };
      return { body: jsonBody({ input: { converse } }), headers: [] };
    },
    fromResponse(body) {
      const inputTokens = countOf(parseObject(body.toString('utf8'))?.['inputTokens']);
      return inputTokens === undefined
        ? new GatewayError('upstream_protocol', { detail: 'Its answer counts nothing.' })
        : [{ type: 'usage', usage: { inputTokens } }];
    },
  },
};
