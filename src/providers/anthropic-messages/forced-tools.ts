import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';

/** Whether the client demands a call, of any tool or of one. Without tools there is nothing to demand. */
export function forcesTools({ toolChoice, tools = [], nativeTools = [] }: InferenceRequest): boolean {
  if (tools.length + nativeTools.length === 0) return false;
  return toolChoice?.type === 'required' || toolChoice?.type === 'tool';
}

/**
 * Some models refuse the demand. Taking it back would break a promise, so the request goes to another target, or its client
 * hears of it. https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5#forced-tool-use-is-not-supported
 */
export function unforceable(): GatewayError {
  return new GatewayError('unsupported_parameter', {
    param: 'tool_choice',
    detail:
      'This model cannot be made to call a tool: it takes `auto` and `none`, and structured output by response_format.',
  });
}
