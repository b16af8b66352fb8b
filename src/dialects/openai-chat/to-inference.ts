import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';
import { toMessages } from './to-messages.ts';
import { offeredTools, toNativeTools, toToolChoice, toTools } from './to-tools.ts';

/** What has a neutral name; every other key goes into `extra` as it is. */
const READ_KEYS: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'user',
  'reasoning',
  'reasoning_effort',
  'thinking',
  'response_format',
]);

/** The whole request, for a provider of another wire. https://platform.openai.com/docs/api-reference/chat/create */
export function toInference(body: Buffer, model: string): OrError<InferenceRequest> {
  const text = body.toString('utf8');
  const value = parsedRequest(body, text);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  const request = readRequest(reader, withExactSchemas(value, text), model);
  return reader.fault ?? request;
}

/**
 * Schemas are written again for the provider, so their numbers stay digit for digit. Only these keys are parsed exactly:
 * an exact number is good for writing, not for reading.
 */
function withExactSchemas(body: JsonObject, text: string): JsonObject {
  if ((body['tools'] === undefined && body['response_format'] === undefined) || !mayChangeNumbers(text)) return body;
  const exact = objectOf(parseExact(text));
  return { ...body, tools: exact?.['tools'], response_format: exact?.['response_format'] };
}

function readRequest(reader: RequestReader, body: JsonObject, model: string): InferenceRequest {
  const streamOptions = reader.object(body['stream_options'], 'stream_options');
  return {
    model,
    messages: toMessages(reader, body['messages']),
    stream: reader.flag(body['stream'], 'stream') ?? false,
    includeUsage: reader.flag(streamOptions?.['include_usage'], 'stream_options.include_usage') ?? false,
    tools: offeredTools(reader, toTools(reader, body['tools']), body['tool_choice']),
    nativeTools: toNativeTools(reader, body['tools']),
    toolChoice: toToolChoice(reader, body['tool_choice']),
    parallelToolCalls: reader.flag(body['parallel_tool_calls'], 'parallel_tool_calls'),
    // max_tokens is the older name; OpenAI reads the newer one where both are sent.
    maxOutputTokens:
      reader.wholeNumber(body['max_completion_tokens'], 'max_completion_tokens') ??
      reader.wholeNumber(body['max_tokens'], 'max_tokens'),
    temperature: reader.number(body['temperature'], 'temperature'),
    topP: reader.number(body['top_p'], 'top_p'),
    topK: reader.wholeNumber(body['top_k'], 'top_k'),
    stop: toStop(reader, body['stop']),
    user: reader.text(body['user'], 'user'),
    reasoning: toReasoning(reader, body),
    responseFormat: toResponseFormat(reader, body['response_format']),
    extra: Object.fromEntries(Object.entries(body).filter(([key, value]) => !READ_KEYS.has(key) && value !== null)),
  };
}

function toStop(reader: RequestReader, value: unknown): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return [value];
  return reader.list(value, 'stop').map((text, index) => reader.requiredText(text, `stop[${index}]`));
}

/**
 * Three ways to ask for reasoning are about: OpenAI's `reasoning_effort`, OpenRouter's
 * `reasoning: {effort, max_tokens, enabled}`, and Anthropic's `thinking: {type, budget_tokens}`. The last one named
 * here wins, key by key.
 */
function toReasoning(reader: RequestReader, body: JsonObject): InferenceRequest['reasoning'] {
  const effort = reader.text(body['reasoning_effort'], 'reasoning_effort');
  const reasoning = reader.object(body['reasoning'], 'reasoning');
  const thinking = reader.object(body['thinking'], 'thinking');
  if (effort === undefined && reasoning === undefined && thinking === undefined) return undefined;
  const thinkingType = reader.text(thinking?.['type'], 'thinking.type');
  return {
    effort: reader.text(reasoning?.['effort'], 'reasoning.effort') ?? effort,
    budgetTokens:
      reader.wholeNumber(thinking?.['budget_tokens'], 'thinking.budget_tokens') ??
      reader.wholeNumber(reasoning?.['max_tokens'], 'reasoning.max_tokens'),
    enabled:
      thinkingType === undefined
        ? reader.flag(reasoning?.['enabled'], 'reasoning.enabled')
        : thinkingType !== 'disabled',
  };
}

function toResponseFormat(reader: RequestReader, value: unknown): InferenceRequest['responseFormat'] {
  const format = reader.object(value, 'response_format');
  if (format === undefined) return undefined;
  const type = reader.requiredText(format['type'], 'response_format.type');
  if (type === 'text') return { type: 'text' };
  if (type === 'json_object') return { type: 'json' };
  if (type === 'json_schema') {
    const place = 'response_format.json_schema';
    const schema = reader.requiredObject(format['json_schema'], place);
    return {
      type: 'json-schema',
      name: reader.requiredText(schema['name'], `${place}.name`),
      schema: reader.object(schema['schema'], `${place}.schema`) ?? {},
      strict: reader.flag(schema['strict'], `${place}.strict`),
    };
  }
  reader.invalid('response_format.type', 'text, json_object or json_schema', type);
  return undefined;
}
