import { countOf, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';
import { messagesBody } from './to-request.ts';

/** https://platform.claude.com/docs/en/api/messages-count-tokens. It is free of charge, so it tells no usage. */
export const anthropicCountTokensWire: Wire = {
  name: 'anthropic-count-tokens',
  operation: 'count-tokens',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['anthropic-beta', 'anthropic-version'],
  path: () => '/v1/messages/count_tokens',
  toUsage: () => undefined,
  toError,
  translation: {
    toRequest(request: InferenceRequest) {
      const whole = messagesBody(request);
      if (whole instanceof GatewayError) return whole;
      const asked = Object.entries(whole).filter(([key]) => COUNTED.has(key));
      return { body: jsonBody(Object.fromEntries(asked)), headers: [] };
    },
    fromResponse(body) {
      const inputTokens = countOf(parseObject(body.toString('utf8'))?.['input_tokens']);
      return inputTokens === undefined
        ? new GatewayError('upstream_protocol', { detail: 'Its answer counts nothing.' })
        : [{ type: 'usage', usage: { inputTokens } }];
    },
  },
};

/** What of a message it takes: it refuses what is about the answer alone. */
const COUNTED: ReadonlySet<string> = new Set(['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking']);
