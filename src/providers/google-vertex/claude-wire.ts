import { KeyRules } from '../../codec/key-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { knownBetas, VERTEX_BETAS } from '../anthropic-messages/betas.ts';
import { eventReader } from '../anthropic-messages/from-event.ts';
import { fromResponse } from '../anthropic-messages/from-response.ts';
import { toError } from '../anthropic-messages/to-error.ts';
import { messagesBody } from '../anthropic-messages/to-request.ts';
import { toUsage } from '../anthropic-messages/to-usage.ts';
import { jsonBody } from '../base/json-body.ts';
import type { Wire } from '../provider.ts';
import { pathId } from './published-model.ts';

const VERSION = 'vertex-2023-10-16';

/**
 * Claude on Vertex: the Messages API but for the model, which stands in the path, and the version, which stands in the
 * body. https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
 */
export const claudeOnVertexWire: Wire = {
  name: 'anthropic-on-vertex',
  operation: 'messages',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['anthropic-beta'],
  forwarded: (_name, value) => knownBetas(value, VERTEX_BETAS).join(',') || undefined,
  path: ({ modelId }, { stream }) =>
    `/publishers/anthropic/models/${pathId(modelId)}:${stream ? 'streamRawPredict' : 'rawPredict'}`,
  toUsage,
  toError,
  envelope: {
    form: 'anthropic-messages',
    requests: {
      without: new KeyRules(['model', 'anthropic_version', 'anthropic_beta'].map((key) => ({ key, drop: 'all' }))),
      pairs: () => `"anthropic_version":"${VERSION}"`,
    },
  },
  translation: {
    toRequest(request: InferenceRequest) {
      const body = messagesBody(request);
      if (body instanceof GatewayError) return body;
      const { model: _inPath, ...rest } = body;
      return { body: jsonBody({ anthropic_version: VERSION, ...rest }), headers: [] };
    },
    fromResponse,
    eventReader,
    // https://platform.claude.com/docs/en/build-with-claude/vision: addresses are read by Anthropic's own API alone.
    takesBytesAlone: () => true,
  },
};
