import { isArray } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Tool } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { type OwnParameters, ownParameters } from '../base/openai-parameters.ts';
import { thinking, thinks } from './thinking.ts';
import { toConversation } from './to-messages.ts';

/** https://docs.cohere.com/reference/chat */
export function toRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const others = ownParameters(request.extra, PARAMETERS);
  if (others instanceof GatewayError) return others;
  const [native] = request.nativeTools ?? [];
  if (native !== undefined) {
    const detail = `Cohere has no tools of type "${native.type.slice(0, 40)}": functions only.`;
    return new GatewayError('unsupported_parameter', { param: `${native.place}.type`, detail });
  }
  const conversation = toConversation(request.messages, thinks(request.model));
  if (conversation instanceof GatewayError) return conversation;
  const documents = [...conversation.documents, ...(isArray(others['documents']) ? others['documents'] : [])];
  const body = {
    model: request.model,
    messages: conversation.messages,
    stream: request.stream,
    ...toolsOf(request),
    max_tokens: request.maxOutputTokens,
    temperature: request.temperature,
    p: request.topP,
    k: request.topK,
    stop_sequences: request.stop?.filter((text) => text !== ''),
    response_format: responseFormat(request),
    thinking: thinking(request),
    logprobs: request.extra['logprobs'],
    ...others,
    documents: documents.length > 0 ? documents : undefined,
  };
  return { body: jsonBody(body), headers: [] };
}

/**
 * There is no choice of one function: the model must call, and is offered that one alone. `auto` is what models do unasked.
 */
function toolsOf({ tools = [], toolChoice }: InferenceRequest): object {
  if (tools.length === 0) return {};
  switch (toolChoice?.type) {
    case 'none':
      return { tools: tools.map(toTool), tool_choice: 'NONE' };
    case 'required':
      return { tools: tools.map(toTool), tool_choice: 'REQUIRED' };
    case 'tool':
      return { tools: tools.filter(({ name }) => name === toolChoice.name).map(toTool), tool_choice: 'REQUIRED' };
    default:
      return { tools: tools.map(toTool) };
  }
}

/** `strict` of one tool is not sent: Cohere's `strict_tools` holds for all of them, and asks more of their schemas. */
function toTool({ name, description, parameters }: Tool): object {
  return {
    type: 'function',
    function: { name, description, parameters: parameters ?? { type: 'object', properties: {} } },
  };
}

/** https://docs.cohere.com/docs/structured-outputs */
function responseFormat({ responseFormat: format }: InferenceRequest): object | undefined {
  if (format === undefined || format.type === 'text') return undefined;
  return { type: 'json_object', json_schema: format.type === 'json-schema' ? format.schema : undefined };
}

/** `seed` and the penalties have the same name; Cohere's own (`documents`, `citation_options`) pass as they are. */
const PARAMETERS: OwnParameters = {
  vendor: 'Cohere',
  read: new Set(['logprobs']),
  harmless: new Set(['metadata', 'safety_identifier', 'service_tier']),
};
