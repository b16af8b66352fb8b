import { isArray, isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Tool } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { thinking, thinks } from './thinking.ts';
import { toConversation } from './to-messages.ts';

/** https://docs.cohere.com/reference/chat */
export function toRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const others = otherParameters(request.extra);
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

/** Whether a value of a parameter that Cohere has no word for may be left out; what may not is refused by name. */
const LEFT_OUT: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['store', always],
  ['metadata', always],
  ['prediction', always],
  ['verbosity', always],
  ['service_tier', always],
  ['prompt_cache_key', always],
  ['prompt_cache_retention', always],
  ['safety_identifier', always],
  ['n', (value: unknown) => value === 1],
  ['top_logprobs', (value: unknown) => value === 0],
  ['logit_bias', (value: unknown) => isObject(value) && Object.keys(value).length === 0],
  ['modalities', (value: unknown) => isArray(value) && value.every((kind) => kind === 'text')],
  ['audio', never],
  ['web_search_options', never],
  ['functions', never],
  ['function_call', never],
]);

function always(): boolean {
  return true;
}
function never(): boolean {
  return false;
}

/** `seed`, penalties and `logprobs` have the same name; Cohere's own (`documents`, `citation_options`) pass as they are. */
function otherParameters(extra: Readonly<Record<string, unknown>>): OrError<Record<string, unknown>> {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(extra)) {
    const mayBeLeftOut = LEFT_OUT.get(key);
    if (mayBeLeftOut === undefined) kept.push([key, value]);
    else if (!mayBeLeftOut(value)) {
      return new GatewayError('unsupported_parameter', { param: key, detail: `Cohere has nothing for \`${key}\`.` });
    }
  }
  return Object.fromEntries(kept);
}
