import { isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, NativeTool, Tool } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { type OwnParameters, ownParameters } from '../base/openai-parameters.ts';
import { webSearchOf } from '../base/web-search.ts';
import { forcesTools, unforceable } from './forced-tools.ts';
import { type ModelFamily, modelFamily } from './model-family.ts';
import { outputSchema } from './output-schema.ts';
import { type ThinkingFields, toThinking } from './thinking.ts';
import { toConversation } from './to-messages.ts';

/** https://platform.claude.com/docs/en/api/messages/create */
export function toRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const body = messagesBody(request);
  return body instanceof GatewayError ? body : { body: jsonBody(body), headers: [] };
}

/** The same for a host that takes no system messages in the middle, whatever the model. */
export function toHostedRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const body = messagesBody(request, { ...modelFamily(request.model), systemInMessages: false });
  return body instanceof GatewayError ? body : { body: jsonBody(body), headers: [] };
}

/** The body before it is written: hosts that serve Claude under another address change a key or two of it. */
export function messagesBody(request: InferenceRequest, family = modelFamily(request.model)): OrError<JsonObject> {
  const extra = extraParameters(request);
  if (extra instanceof GatewayError) return extra;
  const conversation = toConversation(request.messages, family);
  if (conversation instanceof GatewayError) return conversation;
  if (family.forcedTools === 'never' && forcesTools(request)) return unforceable();
  const format = outputFormat(request, family);
  if (format instanceof GatewayError) return format;
  const tools = toTools(request, family);
  if (tools instanceof GatewayError) return tools;

  const maxTokens = request.maxOutputTokens ?? family.maxOutputTokens;
  const thinking = toThinking(request, family, maxTokens);
  const outputConfig = { effort: thinking.effort, format, ...objectOf(request.extra['output_config']) };
  return withOthers(extra, {
    model: request.model,
    max_tokens: maxTokens,
    system: conversation.system.length > 0 ? conversation.system : undefined,
    messages: conversation.messages,
    stream: request.stream,
    stop_sequences: stopSequences(request.stop),
    ...sampling(request, family, thinking),
    thinking: thinking.thinking,
    output_config: Object.values(outputConfig).some((value) => value !== undefined) ? outputConfig : undefined,
    tools,
    tool_choice: tools && toolChoice(request),
  });
}

/** What was translated wins; where it says nothing, Anthropic's own key of the client stands (`system`, `stop_sequences`). */
function withOthers(others: Record<string, unknown>, translated: Record<string, unknown>): Record<string, unknown> {
  const body = { ...others };
  for (const [key, value] of Object.entries(translated)) if (value !== undefined) body[key] = value;
  return body;
}

/**
 * Hints, so what a model refuses is left out. Anthropic's scale of temperature ends at 1, OpenAI's at 2; while it
 * thinks it takes no temperature and no top_k, and of top_p only the uppermost.
 */
function sampling({ temperature, topP, topK }: InferenceRequest, family: ModelFamily, { thinking }: ThinkingFields) {
  if (family.sampling === 'none') return {};
  if (thinking !== undefined) return { top_p: topP !== undefined && topP >= 0.95 ? topP : undefined };
  return {
    temperature: temperature === undefined ? undefined : Math.min(temperature, 1),
    top_p: family.sampling === 'one' && temperature !== undefined ? undefined : topP,
    top_k: topK,
  };
}

/** https://platform.claude.com/docs/en/build-with-claude/structured-outputs */
function outputFormat({ responseFormat }: InferenceRequest, family: ModelFamily): OrError<object | undefined> {
  if (responseFormat === undefined || responseFormat.type === 'text') return undefined;
  if (responseFormat.type === 'json-schema' && family.structuredOutputs) {
    return { type: 'json_schema', schema: outputSchema(objectOf(responseFormat.schema) ?? {}) };
  }
  const detail =
    responseFormat.type === 'json'
      ? 'Anthropic has no free JSON mode; send a json_schema.'
      : 'This model has no structured outputs; Claude models have them since 4.5.';
  return new GatewayError('unsupported_parameter', { param: 'response_format', detail });
}

/** Blank sequences are refused ("must contain non-whitespace"), and no answer would end at most of them. */
function stopSequences(stop: readonly string[] | undefined): string[] | undefined {
  const sequences = stop?.filter((text) => text.trim() !== '');
  return sequences?.length ? sequences : undefined;
}

/** Those that Anthropic runs or defines itself have a date in their type: `web_search_20250305`, `bash_20250124`. */
const NATIVE_TYPE = /^[a-z_]+_\d{8}$|^mcp_toolset$/;

function toTools(
  { tools = [], nativeTools = [] }: InferenceRequest,
  family: ModelFamily,
): OrError<object[] | undefined> {
  const foreign = nativeTools.find((tool) => !NATIVE_TYPE.test(tool.type) && webSearchOf(tool) === undefined);
  if (foreign) return foreignTool(foreign);
  if (tools.length + nativeTools.length === 0) return undefined;
  return [...tools.map((tool) => toTool(tool, family)), ...nativeTools.map(toNativeTool)];
}

/** A search that was asked for in another vendor's words is Anthropic's own. */
function toNativeTool(tool: NativeTool): object {
  const search = NATIVE_TYPE.test(tool.type) ? undefined : webSearchOf(tool);
  if (search === undefined) return objectOf(tool.definition) ?? {};
  return {
    type: 'web_search_20250305',
    name: 'web_search',
    max_uses: search.maxUses,
    allowed_domains: search.allowedDomains,
    blocked_domains: search.blockedDomains,
    user_location: search.userLocation,
  };
}

function foreignTool({ type, place }: NativeTool): GatewayError {
  const detail = `Anthropic has no tools of type "${type.slice(0, 40)}": functions, and its own types with a date, as web_search_20250305.`;
  return new GatewayError('unsupported_parameter', { param: `${place}.type`, detail });
}

/** Properties of a tool that Anthropic knows beyond OpenAI's. https://platform.claude.com/docs/en/api/messages/create */
const TOOL_EXTRAS = ['defer_loading', 'input_examples', 'allowed_callers', 'eager_input_streaming'];

/** Clients send `{}`, no `type` or nothing where a function has no parameters; Anthropic wants an object schema. */
function inputSchema(parameters: unknown): JsonObject {
  if (!isObject(parameters)) return { type: 'object', properties: {} };
  return parameters['type'] === 'object' ? parameters : { ...parameters, type: 'object' };
}

function toTool(tool: Tool, family: ModelFamily) {
  return {
    ...Object.fromEntries(TOOL_EXTRAS.flatMap((key) => (key in tool.extra ? [[key, tool.extra[key]]] : []))),
    name: tool.name,
    description: tool.description,
    input_schema: inputSchema(tool.parameters),
    // Older models do not know it; the schema guides them all the same.
    strict: tool.strict && family.structuredOutputs ? true : undefined,
    cache_control: tool.cacheControl,
  };
}

/** Asked only where there are tools: without them Anthropic refuses any choice, also the one that OpenAI takes for granted. */
function toolChoice({ toolChoice: choice, parallelToolCalls }: InferenceRequest): object | undefined {
  const single = parallelToolCalls === false ? true : undefined;
  switch (choice?.type) {
    case 'none':
      return { type: 'none' };
    case 'required':
      return { type: 'any', disable_parallel_tool_use: single };
    case 'tool':
      return { type: 'tool', name: choice.name, disable_parallel_tool_use: single };
    case 'auto':
      return { type: 'auto', disable_parallel_tool_use: single };
    case undefined:
      return single ? { type: 'auto', disable_parallel_tool_use: true } : undefined;
  }
}

/**
 * What neither this names nor the table does is passed on: Anthropic's own (`container`, `mcp_servers`, `speed`, …) work.
 */
const PARAMETERS: OwnParameters = {
  vendor: 'Anthropic',
  read: new Set(['metadata', 'safety_identifier', 'service_tier', 'output_config']),
  // Hints on how to sample: OpenAI promises no exact effect either.
  harmless: new Set(['frequency_penalty', 'presence_penalty', 'seed']),
};

/** The client's other parameters for the body, or the first that cannot be expressed. */
function extraParameters(request: InferenceRequest): Record<string, unknown> | GatewayError {
  const { extra } = request;
  const kept = ownParameters(extra, PARAMETERS);
  if (kept instanceof GatewayError) return kept;
  return { ...kept, metadata: metadata(request), service_tier: serviceTier(extra['service_tier']) };
}

/** The one thing Anthropic keeps about a request is the end user; OpenAI's free tags stay here. */
function metadata({ user, extra }: InferenceRequest): { user_id: string } | undefined {
  const userId = user ?? stringOf(extra['safety_identifier']) ?? stringOf(objectOf(extra['metadata'])?.['user_id']);
  return userId === undefined ? undefined : { user_id: userId };
}

/** Tiers that only OpenAI sells (flex, priority, …) fall back to what the account has. */
function serviceTier(value: unknown): string | undefined {
  if (value === 'default' || value === 'standard_only') return 'standard_only';
  return value === 'auto' ? 'auto' : undefined;
}
