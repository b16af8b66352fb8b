import { countOf, objectOf } from '../../codec/json-value.ts';
import { tellsAnything, type Usage } from '../../inference/usage.ts';
import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';

/** Speech to speech over a WebSocket: https://platform.openai.com/docs/guides/realtime-websocket */
export const openAiRealtimeWire: Wire = {
  name: 'openai-realtime',
  operation: 'realtime',
  framing: 'none',
  method: 'GET',
  contentType: undefined,
  forwards: ['openai-beta', 'openai-safety-identifier'],
  path: ({ modelId }) => `/realtime?model=${encodeURIComponent(modelId)}`,
  toUsage,
  toError,
};

/** `usage` of `response.done`: https://platform.openai.com/docs/api-reference/realtime-server-events/response/done */
function toUsage(value: unknown): Usage | undefined {
  const usage = objectOf(value);
  if (usage === undefined) return undefined;
  const input = objectOf(usage['input_token_details']);
  const output = objectOf(usage['output_token_details']);
  const imageInputTokens = countOf(input?.['image_tokens']) || undefined;
  const counts: Usage = {
    inputTokens: countOf(usage['input_tokens']),
    outputTokens: countOf(usage['output_tokens']),
    cacheReadInputTokens: countOf(input?.['cached_tokens']),
    audioInputTokens: countOf(input?.['audio_tokens']),
    audioOutputTokens: countOf(output?.['audio_tokens']),
    ...(imageInputTokens !== undefined && { rare: { imageInputTokens } }),
  };
  return tellsAnything(counts) ? counts : undefined;
}
