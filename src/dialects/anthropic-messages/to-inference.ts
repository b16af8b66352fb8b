import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Message, Part } from '../../inference/request.ts';
import { parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';
import { systemMessages, toMessages } from './to-messages.ts';
import { isParallel, toNativeTools, toToolChoice, toTools } from './to-tools.ts';

/** What has a neutral name; every other key goes into `extra` as it is. */
const READ_KEYS: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'system',
  'stream',
  'tools',
  'tool_choice',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'metadata',
  'thinking',
  'output_config',
  'output_format',
  'cache_control',
  // Another vendor's answer is the same kind of answer without these: how old tool results are cleared away, how
  // fast and on which capacity it is served, and what only versions of Anthropic's form mean.
  'context_management',
  'service_tier',
  'speed',
  'betas',
  'anthropic_beta',
  'anthropic_version',
]);
/** What runs at Anthropic, or promises where it runs, with the values that ask for nothing. */
const REFUSED: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['mcp_servers', (value: unknown) => Array.isArray(value) && value.length === 0],
  ['container', () => false],
  ['inference_geo', (value: unknown) => value === 'global'],
]);

/** The whole request, for a provider of another wire. https://platform.claude.com/docs/en/api/messages/create */
export function toInference(body: Buffer, model: string): OrError<InferenceRequest> {
  const text = body.toString('utf8');
  const value = parsedRequest(body, text);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  for (const [key, asksForNothing] of REFUSED) {
    const asked = value[key];
    if (asked !== undefined && asked !== null && !asksForNothing(asked))
      reader.unsupported(
        key,
        `\`${key}\` is served by Anthropic's own form only, which the host of this model does not speak.`,
      );
  }
  const request = readRequest(reader, withExactNumbers(value, text), model);
  return reader.fault ?? request;
}

/**
 * Schemas and the arguments of calls are written again for the provider, so their numbers stay digit for digit. Only these
 * keys are parsed exactly: an exact number is good for writing, not for reading.
 */
function withExactNumbers(body: JsonObject, text: string): JsonObject {
  if (!mayChangeNumbers(text)) return body;
  const exact = objectOf(parseExact(text));
  return { ...body, messages: exact?.['messages'], tools: exact?.['tools'], output_config: exact?.['output_config'] };
}

function readRequest(reader: RequestReader, body: JsonObject, model: string): InferenceRequest {
  const output = reader.object(body['output_config'], 'output_config');
  const format = output?.['format'] ?? body['output_format'];
  const stop = body['stop_sequences'];
  const choice = reader.object(body['tool_choice'], 'tool_choice');
  const metadata = reader.object(body['metadata'], 'metadata');
  return {
    model,
    messages: marked(
      [...systemMessages(reader, body['system']), ...toMessages(reader, body['messages'])],
      body['cache_control'],
    ),
    stream: reader.flag(body['stream'], 'stream') ?? false,
    includeUsage: true,
    tools: toTools(reader, body['tools']),
    nativeTools: toNativeTools(reader, body['tools']),
    toolChoice: choice && toToolChoice(reader, choice),
    parallelToolCalls: choice && isParallel(reader, choice),
    maxOutputTokens: reader.wholeNumber(body['max_tokens'], 'max_tokens'),
    temperature: reader.number(body['temperature'], 'temperature'),
    topP: reader.number(body['top_p'], 'top_p'),
    topK: reader.wholeNumber(body['top_k'], 'top_k'),
    stop:
      stop === undefined || stop === null
        ? undefined
        : reader
            .list(stop, 'stop_sequences')
            .map((each, index) => reader.requiredText(each, `stop_sequences[${index}]`)),
    user: reader.text(metadata?.['user_id'], 'metadata.user_id'),
    reasoning: toReasoning(reader, body['thinking'], output),
    responseFormat: toResponseFormat(reader, format),
    extra: Object.fromEntries(
      Object.entries(body).filter(([key, value]) => !READ_KEYS.has(key) && !REFUSED.has(key) && value !== null),
    ),
  };
}

/** A marker on the whole request stands for its end. */
function marked(messages: Message[], marker: unknown): Message[] {
  if (!marker) return messages;
  const isMarkable = ({ type }: Part): boolean => type !== 'reasoning' && type !== 'redacted-reasoning';
  const last = messages.at(-1)?.parts.findLast(isMarkable);
  if (last) last.cacheControl ??= marker;
  return messages;
}

/** https://platform.claude.com/docs/en/build-with-claude/extended-thinking, and `output_config.effort` */
function toReasoning(
  reader: RequestReader,
  value: unknown,
  output: JsonObject | undefined,
): InferenceRequest['reasoning'] {
  const thinking = reader.object(value, 'thinking');
  const effort = reader.text(output?.['effort'], 'output_config.effort');
  if (thinking === undefined) return effort === undefined ? undefined : { effort };
  const type = reader.requiredText(thinking['type'], 'thinking.type');
  if (type === 'disabled') return { enabled: false };
  const budgetTokens = reader.wholeNumber(thinking['budget_tokens'], 'thinking.budget_tokens');
  return { enabled: true, effort, budgetTokens };
}

/** https://platform.claude.com/docs/en/build-with-claude/structured-outputs */
function toResponseFormat(reader: RequestReader, value: unknown): InferenceRequest['responseFormat'] {
  const format = reader.object(value, 'output_config.format');
  if (format === undefined) return undefined;
  const type = reader.requiredText(format['type'], 'output_config.format.type');
  if (type !== 'json_schema') {
    reader.invalid('output_config.format.type', 'json_schema', type);
    return undefined;
  }
  const schema = reader.requiredObject(format['schema'], 'output_config.format.schema');
  return { type: 'json-schema', name: 'output', schema, strict: true };
}
