import { isArray, isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, NativeTool, Tool, ToolChoice } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { boundOf, type WebSearch, webSearchOf } from '../base/web-search.ts';
import type { MadeRequest, TranslationTarget } from '../provider.ts';
import {
  effort,
  maxOutputTokens,
  refusesFunctionsInChat,
  sampling,
  user,
  wantsAnswerBehindResults,
} from './model-limits.ts';
import { bridged, toMessages } from './to-messages.ts';

/**
 * A chat completion for a client of another form. What the host of a model takes otherwise is changed afterwards
 * (`adapted`). https://platform.openai.com/docs/api-reference/chat/create
 */
export function toRequest(
  request: InferenceRequest,
  { knownAs }: Pick<TranslationTarget, 'knownAs'> = {},
): OrError<MadeRequest> {
  const { tools = [], nativeTools = [], stream, toolChoice } = request;
  // What it refuses goes by the model that it is, not by what the owner of an account calls it.
  const known = knownAs === undefined ? request : { ...request, model: knownAs };
  const { model } = known;
  const searches = SEARCH_MODEL.test(model) ? nativeTools.flatMap((tool) => webSearchOf(tool) ?? []) : [];
  const foreign = nativeTools.find((tool) => searches.length === 0 || webSearchOf(tool) === undefined);
  if (foreign) return foreignTool(foreign);
  const [search] = searches;
  const bound = search && boundOf(search);
  if (bound !== undefined) {
    const detail = `The search of this model cannot be bound to domains: leave out \`${bound}\`.`;
    return new GatewayError('unsupported_parameter', { param: nativeTools[0]?.place ?? 'tools', detail });
  }
  const messages = toMessages(request.messages);
  if (messages instanceof GatewayError) return messages;
  const body = {
    ...chatParameters(request.extra),
    model: request.model,
    messages: wantsAnswerBehindResults(model) ? bridged(messages) : messages,
    stream: stream ? true : undefined,
    stream_options: stream ? { include_usage: true } : undefined,
    tools: tools.length > 0 ? tools.map(toTool) : undefined,
    // Without tools some hosts refuse any choice.
    tool_choice: tools.length > 0 && toolChoice ? toToolChoice(toolChoice) : undefined,
    parallel_tool_calls: tools.length > 0 ? request.parallelToolCalls : undefined,
    // The name that servers of every age know; families that want the newer one rename it.
    max_tokens: maxOutputTokens(known),
    ...sampling(known),
    user: user(request),
    reasoning_effort: tools.length > 0 && refusesFunctionsInChat(model) ? 'none' : effort(known),
    response_format: toResponseFormat(request.responseFormat),
    web_search_options: search && searchOptions(search),
  };
  return { body: jsonBody(body), headers: [] };
}

/** Models that search in a chat, which no tool asks for: `gpt-4o-search-preview`, `gpt-5-search-api`. */
const SEARCH_MODEL = /-search-(preview|api)/;

/** https://platform.openai.com/docs/api-reference/chat/create#chat-create-web_search_options */
function searchOptions({ userLocation, contextSize }: WebSearch): object {
  const { type: _type, ...approximate } = userLocation ?? {};
  return {
    search_context_size: contextSize,
    user_location: userLocation && { type: 'approximate', approximate },
  };
}

/** Parameters of chat completions that have no neutral name. What others call so is not theirs to read. */
const CHAT_PARAMETERS = [
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'metadata',
  'modalities',
  'n',
  'prediction',
  'presence_penalty',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'seed',
  'service_tier',
  'store',
  'top_logprobs',
  'verbosity',
];

function chatParameters(extra: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(CHAT_PARAMETERS.flatMap((key) => (key in extra ? [[key, extra[key]]] : [])));
}

function foreignTool({ type, place }: NativeTool): GatewayError {
  const detail = `The host of this model takes functions as tools, and none of type "${type.slice(0, 40)}".`;
  return new GatewayError('unsupported_parameter', { param: `${place}.type`, detail });
}

function toTool({ name, description, parameters, strict }: Tool): object {
  const schema = isObject(parameters) ? parameters : { type: 'object', properties: {} };
  return { type: 'function', function: { name, description, parameters: schema, strict } };
}

function toToolChoice(choice: ToolChoice): unknown {
  return choice.type === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.type;
}

function toResponseFormat(format: InferenceRequest['responseFormat']): object | undefined {
  switch (format?.type) {
    case 'json':
      return { type: 'json_object' };
    case 'json-schema': {
      const { name, schema, strict } = format;
      return { type: 'json_schema', json_schema: { name, schema: isArray(schema) ? {} : schema, strict } };
    }
    default:
      return undefined;
  }
}
