import type { Wire } from '../provider.ts';
import { eventReader } from './from-event.ts';
import { fromResponse } from './from-response.ts';
import { toError } from './to-error.ts';
import { toHostedRequest, toRequest } from './to-request.ts';
import { toUsage } from './to-usage.ts';

/** The Messages API. https://platform.claude.com/docs/en/api/messages */
export const anthropicWire: Wire = {
  name: 'anthropic-messages',
  operation: 'messages',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['anthropic-beta', 'anthropic-version'],
  path: () => '/v1/messages',
  toUsage,
  toError,
  translation: { toRequest, fromResponse, eventReader },
};

/**
 * The same at hosts that serve Claude without system messages in the middle: Foundry, and Snowflake as far as is known.
 * https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
 */
export const anthropicHostedWire: Wire = {
  ...anthropicWire,
  name: 'anthropic-messages-hosted',
  envelope: { form: anthropicWire.name },
  translation: { toRequest: toHostedRequest, fromResponse, eventReader },
};
