import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';

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
};
