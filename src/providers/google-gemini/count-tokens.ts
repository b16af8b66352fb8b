import { countOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { toError } from '../gemini-generate-content/to-error.ts';
import { toRequest } from '../gemini-generate-content/to-request.ts';
import type { Wire } from '../provider.ts';

/** https://ai.google.dev/api/tokens. It is free of charge, so it tells no usage of an answer. */
export const geminiCountTokensWire: Wire = {
  name: 'gemini-count-tokens',
  operation: 'count-tokens',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/${nameOf(modelId)}:countTokens`,
  toUsage: () => undefined,
  toError,
  translation: {
    toRequest(request: InferenceRequest) {
      const made = toRequest(request);
      if (made instanceof GatewayError) return made;
      const asked = { model: nameOf(request.model), ...parseObject(made.body.toString('utf8')) };
      return { body: jsonBody({ generateContentRequest: asked }), headers: [] };
    },
    fromResponse(body) {
      const inputTokens = countOf(parseObject(body.toString('utf8'))?.['totalTokens']);
      return inputTokens === undefined
        ? new GatewayError('upstream_protocol', { detail: 'Its answer counts nothing.' })
        : [{ type: 'usage', usage: { inputTokens } }];
    },
  },
};

function nameOf(modelId: string): string {
  return modelId.includes('/') ? modelId : `models/${modelId}`;
}
