import { isArray, isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Tool, ToolChoice } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { effort, refusesFunctionsInChat, user } from '../openai-compatible/model-limits.ts';
import type { MadeRequest } from '../provider.ts';
import { toItems } from './response-items.ts';

/** Models that have no chat at all. */
const RESPONSES_ALONE = /^(gpt-\d[\w.]*(-[\w.]+)*-(codex|pro)|codex-|o\d-pro|o\d-deep-research)/;
/** Least that is taken; an agent that asks for one token wants to know whether it may ask at all. */
const MIN_OUTPUT_TOKENS = 16;

/** Parameters that both forms have under one name. */
const SHARED = [
  'metadata',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
] as const;
/** What a chat takes and Responses do not, where it asks for something. */
const CHAT_ALONE = [
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'modalities',
  'n',
  'prediction',
  'presence_penalty',
  'seed',
];

/** Whether a request of another form has to be asked as a response. */
export function asksResponses({ model, tools = [], nativeTools = [], extra }: InferenceRequest): boolean {
  if (nativeTools.length > 0 || CHAT_ALONE.some((key) => key in extra)) return false;
  return RESPONSES_ALONE.test(model) || (tools.length > 0 && refusesFunctionsInChat(model));
}

/**
 * Nothing is kept at OpenAI: the encrypted reasoning goes to the client, and comes back with its next request. No summary of
 * it is asked for, since that takes an organization that OpenAI has verified.
 */
export function toResponsesRequest(request: InferenceRequest): OrError<MadeRequest> {
  const { tools = [], stream, toolChoice, maxOutputTokens, extra } = request;
  const input = toItems(request.messages);
  if (input instanceof GatewayError) return input;
  const word = effort(request);
  const body = {
    // In front, since it tells the two forms apart.
    input,
    ...Object.fromEntries(SHARED.flatMap((key) => (key in extra ? [[key, extra[key]]] : []))),
    model: request.model,
    stream: stream ? true : undefined,
    store: false,
    include: ['reasoning.encrypted_content'],
    tools: tools.length > 0 ? tools.map(toTool) : undefined,
    tool_choice: tools.length > 0 && toolChoice ? toToolChoice(toolChoice) : undefined,
    parallel_tool_calls: tools.length > 0 ? request.parallelToolCalls : undefined,
    max_output_tokens: maxOutputTokens === undefined ? undefined : Math.max(MIN_OUTPUT_TOKENS, maxOutputTokens),
    user: user(request),
    reasoning: word === undefined ? undefined : { effort: word },
    text: text(request),
  };
  return { body: jsonBody(body), headers: [], path: '/responses' };
}

const BEGINNING = '{"input":[';

/** Whether this is a request that was made here, and no chat. */
export function isResponsesBody(body: Buffer): boolean {
  return body.toString('latin1', 0, BEGINNING.length) === BEGINNING;
}

/** Where `strict` is absent, OpenAI changes the schema until it fits. */
function toTool({ name, description, parameters, strict }: Tool): object {
  const schema = isObject(parameters) ? parameters : { type: 'object', properties: {} };
  return { type: 'function', name, description, parameters: schema, strict: strict === true };
}

function toToolChoice(choice: ToolChoice): unknown {
  return choice.type === 'tool' ? { type: 'function', name: choice.name } : choice.type;
}

function text({ responseFormat: format, extra }: InferenceRequest): object | undefined {
  const { verbosity } = extra;
  const made =
    format?.type === 'json'
      ? { type: 'json_object' }
      : format?.type === 'json-schema'
        ? {
            type: 'json_schema',
            name: format.name,
            schema: isArray(format.schema) ? {} : format.schema,
            strict: format.strict,
          }
        : undefined;
  return made === undefined && verbosity === undefined ? undefined : { format: made, verbosity };
}
